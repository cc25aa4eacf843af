using Harness.Models.Llama.Tokenizers;

namespace Harness.MLTokenizers;

/// <summary>
/// Text as it grows from a library that decodes whole sequences only: the ids since the last finished character are
/// decoded together, and held back while the text ends in U+FFFD, which an unfinished character gives.
/// </summary>
/// <param name="speaks">Whether an id has text: control tokens and ids beyond the vocabulary have none.</param>
/// <param name="decode">The text of ids; the second argument says that they begin the text.</param>
/// <param name="continuation">The text follows a prompt: nothing begins it.</param>
internal sealed class WindowDecoder(Func<int, bool> speaks, Func<IEnumerable<int>, bool, string> decode, bool continuation) : ITokenDecoder
{
    private const char Replacement = '\uFFFD';

    /// <summary>A character has at most 4 bytes, hence tokens. Longer windows are bytes that are no text, or U+FFFD itself.</summary>
    private const int LongestWindow = 16;

    private readonly List<int> _window = [];
    private bool _isStart = !continuation;

    public string Append(int token)
    {
        if (!speaks(token)) return "";
        _window.Add(token);
        var text = decode(_window, _isStart);
        return text.EndsWith(Replacement) && _window.Count < LongestWindow ? "" : Taken(text);
    }

    public string Flush() => _window.Count == 0 ? "" : Taken(decode(_window, _isStart));

    private string Taken(string text)
    {
        _window.Clear();
        _isStart = false;
        return text;
    }
}
