namespace Harness.Reports.Publishing;

/// <summary>Files that are part of the program.</summary>
internal static class Resources
{
    public static string Text(string name)
    {
        using var reader = new StreamReader(Open(name));
        return reader.ReadToEnd().ReplaceLineEndings("\n");       // as a browser reads them, whatever git made of them
    }

    public static byte[] Bytes(string name)
    {
        using var stream = Open(name);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static Stream Open(string name) => typeof(Resources).Assembly.GetManifestResourceStream($"report/{name}")
        ?? throw new InvalidOperationException($"the build lacks its resource report/{name}");
}
