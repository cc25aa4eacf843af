using CsvHelper;

namespace Harness.Tests;

/// <summary>A CSV file as a reader of the published files sees it: texts by column.</summary>
internal static class CsvTable
{
    private static readonly CsvReaderOptions s_strict = new()
    {
        Separator = ',',
        MalformedData = CsvMalformedDataHandling.Throw,
        FieldCountMismatch = CsvFieldCountHandling.Throw,
    };

    public static List<Dictionary<string, string>> Read(string path) => Rows(CsvReader.FromFile(path, s_strict));

    public static List<Dictionary<string, string>> Parse(string text) => Rows(CsvReader.FromText(text, s_strict));

    private static List<Dictionary<string, string>> Rows(CsvReader csv)
    {
        using (csv)
        {
            var rows = new List<Dictionary<string, string>>();
            while (csv.Read()) rows.Add(csv.Headers.Index().ToDictionary(column => column.Item, column => csv.GetString(column.Index)));
            return rows;
        }
    }
}
