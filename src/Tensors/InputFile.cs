namespace Harness.Tensors;

/// <summary>Small files of others that are read as a whole: configurations, indices, tokenizers.</summary>
public static class InputFile
{
    /// <exception cref="UserErrorException">The file cannot be read, is empty, or is one of <see cref="ForeignFile"/>'s kinds.</exception>
    public static byte[] Read(string file)
    {
        byte[] data;
        try
        {
            data = File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {file}: {e.Message}; check that it is there and its permissions", e);
        }
        if (data.Length == 0) throw new UserErrorException($"{file} is empty; fetch it again");
        ForeignFile.Refuse(file, data.AsSpan(0, Math.Min(data.Length, ForeignFile.HeadBytes)));
        return data;
    }
}
