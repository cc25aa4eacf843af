using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>
/// The result of one run as the ML.ENERGY benchmark writes it: the fields of <c>results.json</c> by
/// <c>mlenergy/llm/benchmark.py</c> (github.com/ml-energy/benchmark, version 3, arXiv 2505.06371). One run is one object,
/// several are an array of them.
/// </summary>
/// <remarks>
/// Theirs gives a request steady-state joules per token × its tokens; ours is what was attributed to it, which adds up to the
/// meter. Timelines are left out: they are in power.csv.
/// </remarks>
public sealed class MlEnergyResult : IExportFormat
{
    public string Name => "ml-energy";
    public bool HasValidity => false;

    public void Write(IReadOnlyList<object> entries, Stream output)
    {
        JsonNode tree = entries is [JsonObject only] ? only : new JsonArray([.. entries.Cast<JsonObject>()]);
        JsonSerializer.Serialize(output, tree, JsonRows.Document);
        output.WriteByte((byte)'\n');
    }

    public object Of(ExportedRun run)
    {
        var s = run.Summary;
        var result = new JsonObject
        {
            ["model_id"] = s.Model,
            ["gpu_model"] = s.Gpu,
            ["num_gpus"] = s.NumGpus,
            ["max_num_seqs"] = run.Concurrency,
            ["max_output_tokens"] = s.MaxNewTokens,
            ["request_rate"] = s.RequestRatePerSecond is { } rate ? rate : "inf",
            ["num_prompts"] = s.NumPrompts,
            ["duration"] = s.DurationSeconds,
            ["completed"] = s.Completed,
            ["steady_state_duration"] = s.Steady.DurationSeconds,
            ["steady_state_energy"] = s.Steady.Joules,
            ["steady_state_energy_per_token"] = s.Steady.PerOutputToken,
            ["total_input_tokens"] = s.TotalInputTokens,
            ["total_output_tokens"] = s.TotalOutputTokens,
            ["request_throughput"] = s.ResponsesPerSecond,
            ["output_throughput"] = s.TokensPerSecond,
            ["total_token_throughput"] = (s.TotalInputTokens + s.TotalOutputTokens) / s.DurationSeconds,
            ["entire_benchmark_measurement"] = new JsonObject
            {
                ["time"] = s.DurationSeconds,
                ["gpu_energy"] = new JsonObject(run.JoulesOfEachGpu()
                    .Select((joules, i) => KeyValuePair.Create($"{i}", (JsonNode?)joules))),
            },
        };
        Latency(result, "ttft", s.Ttft);
        Latency(result, "tpot", s.Tpot);
        Latency(result, "itl", s.Itl);
        Latency(result, "e2el", s.Latency);
        result["results"] = new JsonArray([.. run.Completed().Select(pair => new JsonObject
        {
            ["prompt"] = pair.Response.Prompt,
            ["output_text"] = pair.Response.Text,
            ["reasoning_output_text"] = "",
            ["input_len"] = pair.Row.InputTokens,
            ["output_len"] = pair.Row.OutputTokens,
            ["latency"] = pair.Row.LatencySeconds,
            ["ttft"] = pair.Row.TtftSeconds,
            ["itl"] = new JsonArray([.. (pair.Response.ItlSeconds ?? []).Select(gap => (JsonNode)gap)]),
            ["error"] = "",
            ["success"] = true,
            ["energy"] = pair.Row.EnergyJoules,
        })]);
        return result;
    }

    private static void Latency(JsonObject result, string name, Distribution seconds)
    {
        result[$"mean_{name}_ms"] = seconds.Mean * 1000;
        result[$"median_{name}_ms"] = seconds.P50 * 1000;
        result[$"p90_{name}_ms"] = seconds.P90 * 1000;
        result[$"p95_{name}_ms"] = seconds.P95 * 1000;
        result[$"p99_{name}_ms"] = seconds.P99 * 1000;
    }
}
