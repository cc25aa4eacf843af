using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Generation;
using Harness.Models.Llama.Tokenizers;
using Harness.Reporting;
using Harness.Sharding;

namespace Harness.Running;

/// <summary><c>harness score</c>, as every rank runs it.</summary>
internal sealed class ScoreJob(ResolvedConfiguration configuration, string textFile, string outputFile, string? logitsFile)
{
    public int Execute(ICommunicator world)
    {
        IProgressReporter progress = world.Rank == 0 ? ProgressReporter.ForConsole() : new NoProgress();
        using var model = new RankModel(configuration, world, progress);
        if (configuration.Options.Sharding.Data > 1)
            throw Settings.Of(options => options.Sharding.Data)
                .Wrong(configuration.Options.Sharding.Data, "1, since a text is scored once,");
        var config = model.Checkpoint.Config;
        var tokenizer = model.IsRoot ? Tokenizers.For(configuration.Options.Model) : null;
        foreach (var note in tokenizer == null ? []
            : model.Checkpoint.Notes.Concat(tokenizer.Notes).Distinct()) Console.Error.WriteLine(note);
        var tokens = Workload.Share(world, tokenizer == null ? null : TextAsWorkload(tokenizer, config)).Items[0].Tokens;

        var stages = JointStages.Of(configuration.Options.Sharding, world, stopRequested: () => false);
        if (stages.Watched(() => model.Load(model.MemoryFor(1, tokens.Length), stages, progress)) is not { } loaded)
            return ExitCode.Interrupted;
        var scorer = new Scorer(loaded.Backend, loaded.Stage, loaded.Replica, config.Shape.Vocabulary);
        if (!model.IsRoot) scorer.Run(tokens, (_, _) => { });
        else Write(tokenizer!, tokens, config.Shape.Vocabulary, scorer);
        world.Barrier();
        return ExitCode.Success;
    }

    private Workload TextAsWorkload(ITokenizer tokenizer, LlamaConfig model)
    {
        using var reader = new StreamReader(new MemoryStream(InputFile.Read(textFile)));
        var text = reader.ReadToEnd();
        var tokens = tokenizer.Encode(text, addBeginOfText: true);
        if (tokens.Length < 2)
            throw new UserErrorException($"{textFile} gives {Figures.Count(tokens.Length, "token")}; a text to score needs at least one "
                + "after beginning-of-text");
        if (tokens.Length > model.MaxPositions)
            throw new UserErrorException($"{textFile} gives {tokens.Length} tokens, but the model's context is {model.MaxPositions}; "
                + "score a shorter text");
        Workload.CheckVocabulary(tokens, textFile, model);
        return new([new(0, 0, tokens, 1)], tokenizer.EndOfText);
    }

    private void Write(ITokenizer tokenizer, int[] tokens, int vocabulary, Scorer scorer)
    {
        var sum = 0.0;
        AtomicFile.Write(outputFile, stream =>
        {
            using var npy = logitsFile == null ? null : new NpyWriter(logitsFile, tokens.Length, vocabulary);
            var decoder = tokenizer.NewDecoder();
            scorer.Run(tokens, (position, logits) =>
            {
                if (NonFinite(logits) is { } column)
                    throw new UserErrorException($"{textFile}: logit {column} of position {position} is not finite, so that the text has "
                        + "no score; compare the checkpoint with its source, or use --dtype bf16 or f32 where activations overflow");
                npy?.Append(logits);
                if (position == 0) WriteLine(stream, 0, tokens[0], decoder, null);
                if (position + 1 == tokens.Length) return;
                var logProbability = LogProbability(logits, tokens[position + 1]);
                sum += logProbability;
                WriteLine(stream, position + 1, tokens[position + 1], decoder, logProbability);
            });
            npy?.Complete();
        });
        var mean = -sum / (tokens.Length - 1);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{tokens.Length - 1} tokens scored, {mean:F6} nats per token, perplexity {Math.Exp(mean):F4}"));
    }

    /// <summary>The first token, beginning-of-text, has no probability: nothing comes before it.</summary>
    private static void WriteLine(Stream stream, int position, int id, ITokenDecoder decoder, double? logProbability)
    {
        JsonSerializer.Serialize(stream, new { position, id, text = decoder.Append(id), logprob = logProbability }, JsonRows.Line);
        stream.WriteByte((byte)'\n');
    }

    /// <summary>The first column that is not finite; null where all are.</summary>
    private static int? NonFinite(ReadOnlySpan<float> logits)
    {
        for (var column = 0; column < logits.Length; column++)
            if (!float.IsFinite(logits[column])) return column;
        return null;
    }

    /// <summary>log softmax, in double: ln p = l - m - ln Σ exp(l_i - m).</summary>
    private static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        double max = float.NegativeInfinity;
        foreach (var logit in logits) max = Math.Max(max, logit);
        var sum = 0.0;
        foreach (var logit in logits) sum += Math.Exp(logit - max);
        return logits[token] - max - Math.Log(sum);
    }
}
