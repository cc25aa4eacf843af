namespace Harness.Runs.Records;

/// <summary>Words as 'From Words to Watts' counts them: the output split on spaces (U+0020). Empty pieces are not words.</summary>
public static class Words
{
    public static int Count(string text)
    {
        var count = 0;
        for (var i = 0; i < text.Length; i++)
            if (text[i] != ' ' && (i == 0 || text[i - 1] == ' ')) count++;
        return count;
    }
}
