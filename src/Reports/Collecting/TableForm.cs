using Harness.Common;

namespace Harness.Reports.Collecting;

/// <summary>What a table is written in.</summary>
public enum TableForm
{
    Csv,
    Parquet,
}

public static class TableForms
{
    /// <param name="word">As in <c>--format</c>; null tells it by the file's name.</param>
    /// <param name="output">A file, or <c>-</c>.</param>
    /// <exception cref="UserErrorException">There is no such form, or the output cannot take it.</exception>
    public static TableForm Of(string? word, string output)
    {
        var form = word switch
        {
            null => Path.GetExtension(output).Equals(".parquet", StringComparison.OrdinalIgnoreCase) ? TableForm.Parquet : TableForm.Csv,
            "csv" => TableForm.Csv,
            "parquet" => TableForm.Parquet,
            _ => throw new UserErrorException($"--format is '{word}', but one of csv, parquet is expected"),
        };
        if (form == TableForm.Parquet) MustBeFile(output);
        return form;
    }

    /// <exception cref="UserErrorException">A table that is no text was asked for on standard output.</exception>
    public static void MustBeFile(string output)
    {
        if (output == "-")
            throw new UserErrorException("a Parquet table is no text for standard output; name its file with --out FILE.parquet");
    }
}
