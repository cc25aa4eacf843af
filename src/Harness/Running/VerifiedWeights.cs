using System.Globalization;
using System.Security.Cryptography;
using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
using Harness.Sharding.Launch;

namespace Harness.Running;

/// <summary>A file of weights, read whole.</summary>
/// <param name="ConfirmedBy">What had said the same of it; none where nothing came with the checkpoint.</param>
internal sealed record VerifiedFile(string File, long Bytes, string Sha256, IReadOnlyList<string> ConfirmedBy);

/// <summary>
/// All bytes of a checkpoint's weights, for those who ask (<c>--verify-weights</c>). The ranks of a node share its files out among them, so
/// that each node reads every file once; nodes are compared with each other, and with what came with the files.
/// </summary>
internal static class VerifiedWeights
{
    private const int PieceBytes = 1 << 20;

    /// <summary>Every rank of the world calls.</summary>
    /// <returns>Every file, on every rank; none for weights that are no files.</returns>
    /// <exception cref="UserErrorException">On every rank: a file is not what came with it says, or nodes differ.</exception>
    public static IReadOnlyList<VerifiedFile> Check(ICommunicator world, NodeTopology topology, ICheckpoint checkpoint,
        IProgressReporter progress)
    {
        var files = checkpoint.Files;
        var mine = LaunchChecks.OnEveryRank(world, () =>
            Digests([.. files.Where((_, i) => i % topology.LocalSize == topology.LocalRank)], progress));
        var all = world.AllTexts(string.Join('\n', files.Select(file => mine.GetValueOrDefault(file, ""))));
        var byRank = all.Select(text => text.Split('\n')).ToList();
        return LaunchChecks.OnEveryRank(world, () => files.Select((file, i) => Agreed(file, byRank.ConvertAll(digests => digests[i]),
            topology.Hosts)).ToList());
    }

    /// <param name="digests">By rank; empty for a rank that has not read it.</param>
    private static VerifiedFile Agreed(string file, IReadOnlyList<string> digests, IReadOnlyList<string> hosts)
    {
        var readers = Enumerable.Range(0, digests.Count).Where(rank => digests[rank].Length > 0).ToList();
        var (first, digest) = (readers[0], digests[readers[0]]);
        var others = readers.Where(rank => digests[rank] != digest).ToList();
        var known = KnownChecksums.Of(file);
        if (known.FirstOrDefault(one => one.Sha256 != digest) is { } other)
            throw new UserErrorException($"{file} has the SHA-256 {digest}, but {other.Source} says {other.Sha256}; fetch the file again");
        if (others.Count > 0)
            throw new UserErrorException(string.Create(CultureInfo.InvariantCulture, $"{file} has the SHA-256 {digest} on {hosts[first]}, "
                + $"but {digests[others[0]]} on {hosts[others[0]]} (rank {others[0]}); give every rank the same files"));
        return new(Path.GetFileName(file), new FileInfo(file).Length, digest, [.. known.Select(one => one.Source)]);
    }

    private static Dictionary<string, string> Digests(IReadOnlyList<string> files, IProgressReporter progress)
    {
        var read = 0L;
        using var bar = progress.Begin("verifying", StageUnit.Bytes, files.Where(File.Exists).Sum(file => new FileInfo(file).Length));
        return files.ToDictionary(file => file, file => Digest(file, bytes => bar.Report(StageProgress.Of(read += bytes))));
    }

    /// <param name="report">Takes bytes that were read.</param>
    private static string Digest(string file, Action<int> report)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0,
                FileOptions.SequentialScan);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[PieceBytes];
            while (stream.Read(buffer) is > 0 and var count)
            {
                hash.AppendData(buffer.AsSpan(0, count));
                report(count);
            }
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {file}: {e.Message}", e);
        }
    }
}
