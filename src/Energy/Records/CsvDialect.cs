using CsvHelper;

namespace Harness.Energy.Records;

/// <summary>
/// The one form of the project's CSV files: commas, lines ended by a line feed, quotes where a value needs them or has spaces at an
/// end, numbers without culture and in the shortest form that reads back to the same bits, booleans <c>true</c> and <c>false</c>,
/// missing values empty.
/// </summary>
public static class CsvDialect
{
    /// <summary>A stray quote and a row that is shorter or longer than the header are errors.</summary>
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
}
