using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Sharding;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// Tensors of a checkpoint that no layer reads: a model that is more than its configuration says, unless they are known to be harmless.
/// </summary>
public static partial class UnreadTensors
{
    /// <summary>Patterns of names, each with the reason why nothing is lost.</summary>
    public static readonly IReadOnlyList<(Regex Name, string Reason)> Harmless =
    [
        (RotaryFrequencies(), "computed from config.json; conversions before 2023-07 stored them"),
        (Head(), "beside tied embeddings, where its values are those of the embedding"),
    ];

    /// <exception cref="UserErrorException">A tensor is neither read nor harmless.</exception>
    /// <param name="present">Name and file of every tensor.</param>
    public static void Refuse(IEnumerable<(string Name, string File)> present, IReadOnlySet<string> read, ModelShape shape)
    {
        var unread = present.Where(tensor => !read.Contains(tensor.Name) && !Harmless.Any(harmless => harmless.Name.IsMatch(tensor.Name)))
            .ToList();
        if (unread.Count == 0) return;
        var (name, file) = unread.MinBy(tensor => tensor.Name, StringComparer.Ordinal);
        var others = unread.Count == 1 ? "" : $" and {unread.Count - 1} more";
        var why = LayerOf().Match(name) is { Success: true } layer && int.Parse(layer.Groups[1].ValueSpan) >= shape.Layers
            ? $"config.json has num_hidden_layers = {shape.Layers}"
            : "config.json does not ask for it";
        throw new UserErrorException($"{file}: tensor {name}{others} would be read by no layer; "
            + $"{why}, so that the model would be another one: put config.json right, or remove the tensors");
    }

    [GeneratedRegex(@"^(model\.layers\.\d+\.self_attn|model)\.rotary_emb\.inv_freq$")]
    private static partial Regex RotaryFrequencies();

    [GeneratedRegex(@"^lm_head\.weight$")]
    private static partial Regex Head();

    [GeneratedRegex(@"^model\.layers\.(\d{1,6})\.")]
    private static partial Regex LayerOf();
}
