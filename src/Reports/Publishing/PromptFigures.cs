using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>What a report shows of a run's prompts: distributions of their times. Of completed prompts, like the summary.</summary>
internal sealed class PromptFigures
{
    private readonly List<double> _ttft = [], _tpot = [], _latency = [];

    public PromptFigures(IEnumerable<ServedRequest> prompts)
    {
        foreach (var prompt in prompts.Where(prompt => !prompt.Failed))
        {
            if (prompt.TtftSeconds is { } ttft) _ttft.Add(ttft);
            if (prompt.TpotSeconds is { } tpot) _tpot.Add(tpot);
            if (prompt.LatencySeconds is { } latency) _latency.Add(latency);
        }
    }

    public Ecdf Ttft(int points) => Ecdf.Of(_ttft, points);

    public Ecdf Tpot(int points) => Ecdf.Of(_tpot, points);

    public Ecdf Latency(int points) => Ecdf.Of(_latency, points);
}
