using System.Security.Cryptography;
using System.Text;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

internal static class Digest
{
    /// <summary>SHA-256 over the texts in UTF-8, each followed by a zero byte.</summary>
    public static string Of(IEnumerable<Prompt> prompts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var prompt in prompts) hash.AppendData(Encoding.UTF8.GetBytes(prompt.Text + "\0"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
