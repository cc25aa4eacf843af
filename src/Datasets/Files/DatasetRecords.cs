using Harness.Common;

namespace Harness.Datasets.Files;

/// <summary>The records of a data set's files, in order, whatever each file is written in: its first bytes tell.</summary>
internal static class DatasetRecords
{
    private static readonly byte[] s_parquet = "PAR1"u8.ToArray();

    /// <param name="isUsed">Of a table's columns: the values of others are not read.</param>
    /// <exception cref="UserErrorException">A file cannot be read, or a record is damaged; the file and its place are named.</exception>
    public static IEnumerable<DatasetRecord> Read(DatasetFiles files, Predicate<string>? isUsed = null)
    {
        var number = 0;
        foreach (var path in files.Paths)
        {
            var records = IsParquet(path) ? ParquetRecords.Read(path, number, isUsed ?? (_ => true)) : JsonRecords.Read(path, number);
            foreach (var record in records)
            {
                yield return record;
                number = record.Number + 1;
            }
        }
    }

    private static bool IsParquet(string path)
    {
        using var file = RegularFile.Open(path);
        Span<byte> head = stackalloc byte[s_parquet.Length];
        try
        {
            return RandomAccess.Read(file, head, 0) == head.Length && head.SequenceEqual(s_parquet);
        }
        catch (IOException e)
        {
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
    }
}
