using System.Text.RegularExpressions;
using CsvHelper;

namespace Harness.Common;

/// <summary>
/// The one form of the project's CSV files: commas, lines ended by a line feed, quotes where a value needs them or has spaces at an
/// end, numbers without culture and in the shortest form that reads back to the same bits, booleans <c>true</c> and <c>false</c>,
/// missing values empty. Texts that a spreadsheet would compute begin with an apostrophe (<see cref="Text"/>).
/// </summary>
public static partial class CsvDialect
{
    /// <summary>
    /// A stray quote and a row that is shorter or longer than the header are errors. Lines may end in CR LF, as git and Excel leave them.
    /// </summary>
    public static CsvReaderOptions Reading { get; } = new()
    {
        Separator = ',',
        MalformedData = CsvMalformedDataHandling.Throw,
        FieldCountMismatch = CsvFieldCountHandling.Throw,
        TrackLineNumbers = true,
    };

    public static CsvWriterOptions Writing { get; } = new()
    {
        NewLine = "\n",
        TrueValue = "true",
        FalseValue = "false",
        Quoting = CsvQuoting.WhenNeededOrWhitespace,
    };

    /// <summary>
    /// A text as it stands in a file: with an apostrophe in front where a spreadsheet would take it for a formula, since it begins with
    /// one of = + - @ (of full width too), a tab, CR or LF, blanks and apostrophes before these aside; and in its midst behind what some
    /// spreadsheets take for the end of a cell (; tab, CR, LF). Quotation marks do not keep a spreadsheet from computing. No two texts
    /// become the same one. Readers leave it as it is, so that every program sees the same value.
    /// </summary>
    public static string Text(string text) => Computed().Replace(text, "'");

    /// <summary>The text of which <see cref="Text"/> made this.</summary>
    public static string Original(string text) => Kept().Replace(text, "");

    /// <summary>
    /// A cell of another file, which may have been written by <see cref="Text"/> or not: safe afterwards, and unchanged where it was.
    /// </summary>
    public static string Cell(string cell) => Unkept().Replace(cell, "'");

    private const string Begins = @"(?<=^|[;\t\r\n])", Acts = @"[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]";

    [GeneratedRegex(Begins + @"(?=[\s']*" + Acts + @"|'*[\t\r\n])", RegexOptions.CultureInvariant)]
    private static partial Regex Computed();

    [GeneratedRegex(Begins + @"'(?=[\s']*" + Acts + @"|'*[\t\r\n])", RegexOptions.CultureInvariant)]
    private static partial Regex Kept();

    [GeneratedRegex(Begins + @"(?=\s*" + Acts + @"|[\t\r\n])", RegexOptions.CultureInvariant)]
    private static partial Regex Unkept();
}
