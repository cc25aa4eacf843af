using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// A stretch of one rank's time while it generates: a pass of a micro-batch through its stage, or a wait for tokens or requests. Turns of
/// a rank follow one another; Stopwatch ticks.
/// </summary>
/// <param name="PrefillTokens">Of prompts, in a pass; with <paramref name="DecodeTokens"/> 0 in a wait.</param>
/// <param name="Links">What crossed the rank's links within; what it waited to receive came before all else.</param>
public readonly record struct Turn(long StartTicks, long EndTicks, int PrefillTokens, int DecodeTokens, LinkStatistics Links)
{
    public bool IsWait => PrefillTokens + DecodeTokens == 0;

    internal static Turn Waiting(long startTicks, long endTicks) => new(startTicks, endTicks, 0, 0, default);

    internal static Turn Of(Step pass, long endTicks, LinkStatistics links)
    {
        var (prefill, decode) = (0, 0);
        foreach (var share in pass.Shares)
            if (share.IsPrefill) prefill += share.Tokens;
            else decode += share.Tokens;
        return new(pass.StartTicks, endTicks, prefill, decode, links);
    }
}
