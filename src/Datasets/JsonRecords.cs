using System.Text.Json;
using Harness.Common;

namespace Harness.Datasets;

/// <summary>
/// Streams the records of a dataset file that is either one JSON array or JSON lines, holding one record at a time:
/// a ShareGPT file is larger than some machines' free memory.
/// </summary>
internal sealed class JsonRecords : IDisposable
{
    private static readonly JsonReaderOptions s_options = new() { AllowMultipleValues = true };

    private readonly string _path;
    private readonly FileStream _stream;
    private byte[] _buffer = new byte[1 << 18];
    private int _start, _end;
    private bool _atEnd, _isArray, _closed;
    private JsonReaderState _state = new(s_options);
    private long _line = 1;
    private int _number;

    private JsonRecords(string path)
    {
        _path = path;
        _stream = Open(path);
        try
        {
            Fill();
            ForeignFile.Refuse(path, _buffer.AsSpan(0, Math.Min(_end, ForeignFile.HeadBytes)));
        }
        catch
        {
            _stream.Dispose();
            throw;
        }
        if (_buffer.AsSpan(0, _end).StartsWith("\uFEFF"u8)) _start = 3;
    }

    public static IEnumerable<JsonRecord> Read(string path)
    {
        using var records = new JsonRecords(path);
        while (records.TryNext(out var record, out var document))
            using (document) yield return record;
    }

    public void Dispose() => _stream.Dispose();

    private bool TryNext(out JsonRecord record, out JsonDocument? document)
    {
        while (true)
        {
            try
            {
                if (TryParse(out record, out document)) return true;
            }
            catch (JsonException e)
            {
                throw NotJson(e);
            }
            if (_atEnd) return false;
            Fill();
        }
    }

    /// <summary>
    /// Parses the next record within the buffer and moves past it; where the buffer ends first, nothing has moved.
    /// </summary>
    private bool TryParse(out JsonRecord record, out JsonDocument? document)
    {
        (record, document) = (default, null);
        var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _atEnd, _state);
        if (!reader.Read())
        {
            if (_atEnd && _isArray && !_closed) throw new JsonException("the file ends before the closing ']'");
            return false;
        }
        if (_number == 0 && !_isArray && reader.TokenType == JsonTokenType.StartArray)
        {
            _isArray = true;
            Consume(reader);
            return TryParse(out record, out document);
        }
        if (_closed) throw new JsonException("there is text after the closing ']'");
        if (_isArray && reader.TokenType == JsonTokenType.EndArray)
        {
            _closed = true;
            Consume(reader);
            return TryParse(out record, out document);
        }
        var line = _line + _buffer.AsSpan(_start, (int)reader.TokenStartIndex).Count((byte)'\n');
        if (!JsonDocument.TryParseValue(ref reader, out document)) return false;
        record = new JsonRecord(_path, _number++, line, document.RootElement);
        Consume(reader);
        return true;
    }

    private void Consume(in Utf8JsonReader reader)
    {
        _state = reader.CurrentState;
        _line += _buffer.AsSpan(_start, (int)reader.BytesConsumed).Count((byte)'\n');
        _start += (int)reader.BytesConsumed;
    }

    /// <summary>Moves what is unread to the front, doubles the buffer where one record fills it, and reads on.</summary>
    private void Fill()
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        if (_end == _buffer.Length) Array.Resize(ref _buffer, checked(_buffer.Length * 2));
        try
        {
            var read = _stream.ReadAtLeast(_buffer.AsSpan(_end), _buffer.Length - _end, throwOnEndOfStream: false);
            _atEnd = _end + read < _buffer.Length;
            _end += read;
        }
        catch (IOException e)
        {
            throw new UserErrorException($"cannot read {_path}: {e.Message}", e);
        }
    }

    /// <summary>In an array the reader's own line is exact; in JSON lines the mistake is in the line where the record begins.</summary>
    private UserErrorException NotJson(JsonException e)
    {
        var blank = _buffer.AsSpan(_start, _end - _start).IndexOfAnyExcept(" \t\r\n,"u8);
        var begins = _line + _buffer.AsSpan(_start, Math.Max(blank, 0)).Count((byte)'\n');
        var line = _isArray ? e.LineNumber + 1 ?? begins : begins;
        var reason = e.Message.Split(" LineNumber:")[0].TrimEnd('.');
        return new UserErrorException(
            $"{_path}:{line}: record {_number} (counted from 0) is not valid JSON: {reason}; correct or remove it", e);
    }

    private static FileStream Open(string path)
    {
        RegularFile.Require(path);
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read the dataset file {path}: {e.Message}", e);
        }
    }
}
