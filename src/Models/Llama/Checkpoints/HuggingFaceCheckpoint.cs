using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// A directory in Hugging Face layout: <c>config.json</c> and the weights that <see cref="WeightFiles"/> finds. Every tensor in them is
/// read by a layer, or known to be harmless.
/// </summary>
public sealed class HuggingFaceCheckpoint : ICheckpoint
{
    private const int RowsCompared = 512;

    /// <summary>So many blocks of each tensor are in the fingerprint, its first and its last bytes among them.</summary>
    private const int SamplesPerTensor = 4, SampleBytes = 4096;

    private readonly Dictionary<string, SafeTensorsFile> _homes;
    private readonly List<SafeTensorsFile> _files = [];

    /// <summary>The name under which the embedding is stored.</summary>
    private readonly string _embedding = RankPlan.Embedding;

    public string Name { get; }
    public LlamaConfig Config { get; }
    public DType DType { get; }
    public string Fingerprint { get; }
    public IReadOnlyList<string> Files { get; }
    public IReadOnlyList<string> Notes { get; }

    public HuggingFaceCheckpoint(string directory)
    {
        Name = directory;
        if (!Directory.Exists(directory))
            throw new UserErrorException($"model '{directory}' is not a directory; --model takes a Hugging Face checkpoint directory or "
                + "synthetic:NAME");
        Config = LlamaConfig.Load(Path.Combine(directory, "config.json"));
        var files = new WeightFiles(directory);
        Files = files.Paths;
        foreach (var file in files.Paths) _files.Add(new SafeTensorsFile(file));
        _homes = files.Locate(_files);
        var notes = Config.Notes.Concat(files.Notes).ToList();
        // Of two tied tensors the one that is there serves for both: tie_weights of transformers 5 (modeling_utils.py).
        if (Config.Shape.TiedEmbeddings && !_homes.ContainsKey(RankPlan.Embedding) && _homes.ContainsKey(RankPlan.Head))
            _embedding = RankPlan.Head;
        if (Config.Shape.TiedEmbeddings && HeadOfItsOwn())
        {
            notes.Add($"{directory}: tie_word_embeddings is true, but {RankPlan.Head} has other values than {RankPlan.Embedding}; "
                + "both are used, as transformers 5 does");
            Config = Config with { Shape = Config.Shape with { TiedEmbeddings = false } };
        }
        var whole = new ShardPlan(Config.Shape, 1, 1).For(0, 0);
        foreach (var tensor in whole.Tensors()) _ = Read(tensor);   // looks at name, shape and type alone: better now than when ranks load
        UnreadTensors.Refuse(_homes.Select(home => (home.Key, home.Value.Path)), whole.Tensors().Select(tensor => tensor.Name).ToHashSet(),
            Config.Shape);
        DType = Read(whole.Find(RankPlan.Embedding)).DType;
        if (Config.DType is { } said && said != DType)
            notes.Add($"{directory}: config.json says {said.Label()}, the weights are stored as {DType.Label()} and kept so; "
                + $"--dtype {said.Label()} converts them, as transformers would");
        Notes = notes;
        Fingerprint = Hash(directory, files.Homes == null ? null : files.Index);
    }

    public WeightSlice Read(TensorSlice slice)
    {
        var file = HomeOf(slice.Name);
        var (position, dtype) = file.Find(Stored(slice.Name), slice.TotalRows, slice.TotalColumns);
        var stride = (long)slice.TotalColumns * dtype.Bytes();
        return new FileSlice(file, position + slice.Rows.Start * stride + (long)slice.Columns.Start * dtype.Bytes(), stride)
        {
            Name = slice.Name,
            DType = dtype,
            Rows = slice.Rows.Count,
            Columns = slice.Columns.Count,
        };
    }

    public void MustBeAsOpened() => _files.ForEach(file => file.MustBeAsOpened());

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private string Stored(string tensor) => tensor == RankPlan.Embedding ? _embedding : tensor;

    private SafeTensorsFile HomeOf(string tensor) =>
        _homes.TryGetValue(Stored(tensor), out var file) ? file
            : throw new UserErrorException($"{Name} has no tensor {tensor}; the checkpoint is incomplete or not a LLaMA");

    /// <summary>Whether there is a head whose rows, looked at all over the vocabulary, are not the embedding's.</summary>
    private bool HeadOfItsOwn()
    {
        if (!_homes.ContainsKey(RankPlan.Head)) return false;
        var whole = new ShardPlan(Config.Shape, 1, 1).For(0, 0);
        var (embedding, head) = (Read(whole.Find(RankPlan.Embedding)), Read(whole.Find(RankPlan.Head)));
        if (embedding.DType != head.DType) return true;
        var (left, right) = (new byte[Config.Shape.Hidden * head.DType.Bytes()], new byte[Config.Shape.Hidden * head.DType.Bytes()]);
        for (var row = 0; row < Config.Shape.Vocabulary; row += Math.Max(1, Config.Shape.Vocabulary / RowsCompared))
        {
            embedding.CopyRows(row, 1, left);
            head.CopyRows(row, 1, right);
            if (!left.AsSpan().SequenceEqual(right)) return true;
        }
        return false;
    }

    /// <summary>
    /// Configuration, index, and of each file its size, its header, and samples of every tensor: 12 MB of a model of 70 billion parameters.
    /// A copy of the same size that is another model, or stale, differs; one in which a few bytes between samples are damaged need not.
    /// </summary>
    private string Hash(string directory, string? index)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(InputFile.Read(Path.Combine(directory, "config.json")));
        if (index != null) hash.AppendData(InputFile.Read(index));
        var block = new byte[SampleBytes];
        foreach (var file in _files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{Path.GetFileName(file.Path)} {file.Bytes}"));
            Add(file, 0, file.DataStart);
            foreach (var (begin, length) in file.Ranges)
                for (var i = 0; i < SamplesPerTensor; i++)
                    Add(file, file.DataStart + begin + Math.Max(0, length - SampleBytes) * i / (SamplesPerTensor - 1),
                        Math.Min(length, SampleBytes));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Add(SafeTensorsFile file, long start, long length)
        {
            for (var end = start + length; start < end;)
            {
                var read = file.ReadSome(start, block.AsSpan(0, (int)Math.Min(block.Length, end - start)));
                if (read == 0) return;
                hash.AppendData(block.AsSpan(0, read));
                start += read;
            }
        }
    }
}
