using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Configuration;

namespace Harness.Running;

/// <summary>
/// What two starts must have in common to be pieces of one run: the program, every setting but where results go and how they are judged,
/// the checkpoint, the chat template with its date, the prompts' tokens, the file of their arrivals, and the power setting.
/// </summary>
internal static class RunIdentity
{
    public static string Of(ResolvedConfiguration configuration, string checkpoint, PromptSet prompts, PowerCell cell)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
        Add(Build.Version);
        foreach (var entry in configuration.Entries().Where(entry => entry.Setting.IsOfIdentity)) Add($"{entry.Key}={entry.Value}");
        Add(checkpoint);
        Add(cell.Suffix);
        if (prompts.Form.Identity is { } form) Add(form);
        if (prompts.Arrivals is { } arrivals) Add(arrivals.Digest);
        foreach (var item in prompts.Workload.Items)
        {
            Add(FormattableString.Invariant($"{item.PromptIndex} {item.MaxNewTokens}"));
            if (item.Turn > 1) Add(item.Question);
            hash.AppendData(MemoryMarshal.AsBytes(item.Tokens.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
