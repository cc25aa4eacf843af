using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Harness.Common;

namespace Harness.Datasets.Files;

/// <summary>
/// Streams the records of a dataset file that is either one JSON array or JSON lines, holding one record at a time:
/// a ShareGPT file is larger than some machines' free memory, and what an archive of a few bytes unpacks to may be as well.
/// </summary>
internal sealed class JsonRecords : IDisposable
{
    /// <summary>A prompt of a million tokens has some 5 MB.</summary>
    private const int MostRecordBytes = 1 << 25;

    private static readonly JsonReaderOptions s_options = new() { AllowMultipleValues = true };

    private readonly string _path;
    private readonly Stream _stream;
    private byte[] _buffer = new byte[1 << 18];
    private int _start, _end;
    private bool _atEnd, _isArray, _closed;
    private JsonReaderState _state = new(s_options);
    private long _line = 1;
    private int _number;

    private JsonRecords(string path)
    {
        _path = path;
        _stream = Unpacked.Open(path);
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

    /// <param name="before">Records of the data set that lie in files before this one.</param>
    public static IEnumerable<DatasetRecord> Read(string path, int before)
    {
        using var records = new JsonRecords(path);
        while (records.TryNext(out var line, out var document))
            using (document) yield return new(path, before + records._number - 1, RecordPlace.Line(line), document.RootElement);
    }

    public void Dispose() => _stream.Dispose();

    private bool TryNext(out long line, [NotNullWhen(true)] out JsonDocument? document)
    {
        while (true)
        {
            try
            {
                if (TryParse(out line, out document)) return true;
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
    private bool TryParse(out long line, [NotNullWhen(true)] out JsonDocument? document)
    {
        (line, document) = (0, null);
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
            return TryParse(out line, out document);
        }
        if (_closed) throw new JsonException("there is text after the closing ']'");
        if (_isArray && reader.TokenType == JsonTokenType.EndArray)
        {
            _closed = true;
            Consume(reader);
            return TryParse(out line, out document);
        }
        line = _line + _buffer.AsSpan(_start, (int)reader.TokenStartIndex).Count((byte)'\n');
        if (!JsonDocument.TryParseValue(ref reader, out document)) return false;
        _number++;
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
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, _end < MostRecordBytes ? _end * 2 : throw new UserErrorException(
                $"{_path}:{NextLine()}: record {_number} (counted from 0) is larger than {MostRecordBytes >> 20} MiB, which is no prompt; "
                + "correct or remove it"));
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
        var line = _isArray ? e.LineNumber + 1 ?? NextLine() : NextLine();
        var reason = e.Message.Split(" LineNumber:")[0].TrimEnd('.');
        return new UserErrorException(
            $"{_path}:{line}: record {_number} (counted from 0) is not valid JSON: {reason}; correct or remove it", e);
    }

    /// <summary>Where the next record begins.</summary>
    private long NextLine()
    {
        var blank = _buffer.AsSpan(_start, _end - _start).IndexOfAnyExcept(" \t\r\n,"u8);
        return _line + _buffer.AsSpan(_start, Math.Max(blank, 0)).Count((byte)'\n');
    }
}
