using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Harness.Common;
using Parquet;
using Parquet.Schema;

namespace Harness.Datasets.Files;

/// <summary>
/// The rows of a Parquet file as records, a group of rows at a time: a hub's shard is larger than some machines' free memory, its groups
/// are not.
/// </summary>
internal sealed class ParquetRecords
{
    /// <summary>Entries of all columns that are read in one group of rows: of small files, and for each byte of larger ones.</summary>
    private const long FreeEntries = 1L << 20, EntriesPerByte = 4;

    private static readonly JsonWriterOptions s_writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ParquetFile _file;
    private readonly ParquetBytes _bytes;
    private readonly ParquetReader _reader;
    private readonly DataField[] _fields;
    private readonly IReadOnlyList<ParquetNode> _leaves;
    private readonly Dictionary<int, ParquetColumn> _columns = [];
    private readonly ArrayBufferWriter<byte> _json = new();

    private ParquetRecords(ParquetFile file)
    {
        (_file, _bytes) = (file, new(file));
        _leaves = [.. file.Columns.SelectMany(column => column.Leaves())];
        (_reader, _fields) = Guarded("its footer", () =>
        {
            var reader = ParquetReader.CreateAsync(_bytes).GetAwaiter().GetResult();
            return (reader, PhysicalFields(reader));
        });
        if (_fields.Length != file.Leaves.Count
            || _fields.Zip(file.Leaves).Any(leaf => leaf.First.MaxDefinitionLevel != leaf.Second.Defined
                || leaf.First.MaxRepetitionLevel != leaf.Second.Repeated))
            throw file.Refuse("its columns are nested in a way that is not read; write it with plain columns, or as JSON lines");
    }

    /// <param name="before">Records of the data set that lie in files before this one.</param>
    /// <param name="isUsed">By the name of a column: of others the values are not read, and stand as empty objects.</param>
    /// <exception cref="UserErrorException">The file or a row cannot be read; it is named.</exception>
    public static IEnumerable<DatasetRecord> Read(string path, int before, Predicate<string> isUsed)
    {
        using var file = new ParquetFile(path, isUsed);
        var records = new ParquetRecords(file);
        var row = 0L;
        for (var group = 0; group < file.RowGroups.Count; group++)
        {
            var rows = records.Open(group);
            for (var last = row + rows; row < last; row++)
            {
                using var document = records.Row(row);
                yield return new(path, checked(before + (int)row), RecordPlace.Row(row), document.RootElement);
            }
            records.Close(group);
        }
    }

    /// <summary>
    /// Fields as the file keeps them, whatever they are annotated as: of texts the bytes, since Parquet.Net puts U+FFFD in the place of
    /// what is not valid. Statistics, which it decodes, say nothing here.
    /// </summary>
    private static DataField[] PhysicalFields(ParquetReader reader)
    {
        foreach (var element in reader.Metadata!.Schema.Where(element => element.Type != null))
            (element.ConvertedType, element.LogicalType) = (null, null);
        foreach (var chunk in reader.Metadata.RowGroups.SelectMany(group => group.Columns))
            if (chunk.MetaData is { } column) column.Statistics = null;
        return reader.Schema.GetDataFields();
    }

    /// <summary>Reads the columns of a group.</summary>
    /// <returns>Its rows.</returns>
    private long Open(int index)
    {
        var group = _file.RowGroups[index];
        var pages = _leaves.Select(leaf => new ParquetPages(_file, group, leaf)).ToList();
        var rows = group.Number(3) ?? -1;
        if (rows is < 0 or > int.MaxValue)
            throw _file.Refuse($"its group of rows {index} (counted from 0) is of {rows} rows; fetch it again");
        var (entries, unpacked) = (Math.Max(rows, pages.Sum(column => column.Values)), pages.Sum(column => column.UnpackedBytes));
        var most = FreeEntries + EntriesPerByte * _file.Bytes;
        if (entries > most || unpacked > Array.MaxLength * 2L)
            throw _file.Refuse($"its group of rows {index} (counted from 0) has {entries} values of {unpacked >> 20} MiB; write it in "
                + "smaller groups, for example with pandas: to_parquet(FILE, row_group_size=10000)");
        _columns.Clear();
        foreach (var (leaf, column) in _leaves.Zip(pages))
        {
            _bytes.End = column.End;
            _columns[leaf.Leaf] = Guarded($"its column \"{leaf.Path}\"", () =>
                ParquetColumn.Read(_reader.OpenRowGroupReader(index), _fields[leaf.Leaf], leaf, (int)column.Values));
        }
        return rows;
    }

    private void Close(int index)
    {
        if (!_columns.Values.All(column => column.IsAtEnd))
            throw _file.Refuse($"its group of rows {index} (counted from 0) has more values than rows; fetch it again");
    }

    private JsonDocument Row(long row)
    {
        try
        {
            _json.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(_json, s_writing))
            {
                json.WriteStartObject();
                foreach (var column in _file.Columns)
                {
                    json.WritePropertyName(column.Name);
                    Write(column, json);
                }
                json.WriteEndObject();
            }
            return JsonDocument.Parse(_json.WrittenMemory);
        }
        catch (Exception e) when (e is InvalidDataException or IndexOutOfRangeException)
        {
            var what = e is InvalidDataException ? e.Message : "is damaged";
            throw new UserErrorException($"{_file.Path}:{RecordPlace.Row(row)} (counted from 0) {what}; correct or remove it", e);
        }
    }

    private void Write(ParquetNode node, Utf8JsonWriter json)
    {
        if (node.Shape == ParquetShape.Unread)
        {
            json.WriteStartObject();
            json.WriteEndObject();
            return;
        }
        if (node.Leaf >= 0)
        {
            _columns[node.Leaf].Write(json);
            return;
        }
        var first = _columns[node.Leaves().First().Leaf];
        if (first.Defined < node.Defined)
        {
            json.WriteNullValue();
            Skip(node);
        }
        else if (node.Shape == ParquetShape.Object)
        {
            json.WriteStartObject();
            foreach (var child in node.Children)
            {
                json.WritePropertyName(child.Name);
                Write(child, json);
            }
            json.WriteEndObject();
        }
        else
        {
            json.WriteStartArray();
            if (first.Defined < node.Filled) Skip(node);
            else
            {
                do Write(node.Children[0], json);
                while (first.Continues(node.Repeated));
            }
            json.WriteEndArray();
        }
    }

    private void Skip(ParquetNode node)
    {
        foreach (var leaf in node.Leaves()) _columns[leaf.Leaf].Skip();
    }

    /// <summary>Parquet.Net throws what its readers of other people's bytes happen to come upon.</summary>
    private T Guarded<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not UserErrorException)
        {
            throw _file.Refuse($"{what} is damaged, or written in a way that is not read ({e.Message.ReplaceLineEndings(" ")}); fetch it "
                + "again, or write it as JSON lines", e);
        }
    }
}
