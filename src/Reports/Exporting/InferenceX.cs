using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>
/// Rows in the style of InferenceX (SemiAnalysis, formerly InferenceMAX): what ran, throughput and latency under the names of
/// its aggregated results, and its measured-power columns by their schema version 2, where joules are those of all
/// accelerators of the deployment and <c>avg_power_w</c> is the mean of one.
/// </summary>
/// <remarks>There <c>power_valid</c> 0 says that the measurement was not valid, and its figures are withheld; so here.</remarks>
public sealed class InferenceX : IExportFormat
{
    public string Name => "inferencex";
    public bool HasValidity => true;

    public void Write(IReadOnlyList<object> entries, Stream output) => CsvRows.WriteTable(output, entries.Cast<Row>());

    public object Of(ExportedRun run)
    {
        var s = run.Summary;
        var gpus = s.NumGpus is > 0 ? s.NumGpus : null;
        // Theirs are those of accelerators: where a run's cover more, what its accelerators used stands beside them, if it was read.
        var isOfGpus = s.EnergyScope is null or "gpu";
        var joules = !run.IsValid ? null : isOfGpus ? s.Energy.Total : run.Joules(EnergyScope.Gpu);
        var tokens = s.TotalInputTokens + s.TotalOutputTokens;
        return new Row
        {
            Id = s.RunId,
            Model = s.Model,
            Hardware = s.Gpu,
            Framework = "harness",
            Image = s.Commit,
            Precision = s.Dtype,
            InputLength = Ratio.Of(s.TotalInputTokens, s.Completed),
            OutputLength = Ratio.Of(s.TotalOutputTokens, s.Completed),
            Concurrency = run.Concurrency,
            IsMultinode = s.Nodes > 1,
            PrefillTensor = s.TensorParallel,
            DecodeTensor = s.TensorParallel,
            PipelineParallel = s.PipelineParallel,
            PrefillGpus = gpus,
            DecodeGpus = gpus,
            Date = s.TimestampUtc?.Split('T')[0],
            ThroughputPerGpu = Ratio.Of(tokens, s.DurationSeconds * gpus),
            OutputThroughputPerGpu = Ratio.Of(s.TotalOutputTokens, s.DurationSeconds * gpus),
            InputThroughputPerGpu = Ratio.Of(s.TotalInputTokens, s.DurationSeconds * gpus),
            MeanTtft = s.Ttft.Mean,
            MedianTtft = s.Ttft.P50,
            P90Ttft = s.Ttft.P90,
            P99Ttft = s.Ttft.P99,
            MeanTpot = s.Tpot.Mean,
            MedianTpot = s.Tpot.P50,
            P90Tpot = s.Tpot.P90,
            P99Tpot = s.Tpot.P99,
            MedianInteractivity = Ratio.Of(1, s.Tpot.P50),
            MeanE2el = s.Latency.Mean,
            MedianE2el = s.Latency.P50,
            P90E2el = s.Latency.P90,
            P99E2el = s.Latency.P99,
            PowerValid = run.IsValid && (isOfGpus || joules != null) ? 1 : 0,
            AveragePowerPerGpu = Ratio.Of(joules, s.DurationSeconds * gpus),
            AverageTotalPower = Ratio.Of(joules, s.DurationSeconds),
            TotalEnergy = joules,
            JoulesPerQuery = Ratio.Of(joules, s.Completed),
            JoulesPerInputToken = Ratio.Of(joules, s.TotalInputTokens),
            JoulesPerOutputToken = Ratio.Of(joules, s.TotalOutputTokens),
            JoulesPerTotalToken = Ratio.Of(joules, tokens),
        };
    }

    internal sealed record Row
    {
        [JsonPropertyName("id")] public string? Id { get; init; }
        [JsonPropertyName("model")] public string? Model { get; init; }
        [JsonPropertyName("hardware")] public string? Hardware { get; init; }
        [JsonPropertyName("framework")] public string? Framework { get; init; }
        [JsonPropertyName("image")] public string? Image { get; init; }
        [JsonPropertyName("precision")] public string? Precision { get; init; }
        [JsonPropertyName("spec_method")] public string SpeculativeMethod { get; init; } = "none";
        [JsonPropertyName("benchmark_type")] public string BenchmarkType { get; init; } = "single_turn";
        [JsonPropertyName("isl")] public double? InputLength { get; init; }
        [JsonPropertyName("osl")] public double? OutputLength { get; init; }
        [JsonPropertyName("conc")] public int? Concurrency { get; init; }
        [JsonPropertyName("disagg")] public bool Disaggregated { get; init; }
        [JsonPropertyName("is_multinode")] public bool IsMultinode { get; init; }
        [JsonPropertyName("prefill_tp")] public int? PrefillTensor { get; init; }
        [JsonPropertyName("decode_tp")] public int? DecodeTensor { get; init; }
        [JsonPropertyName("pp")] public int? PipelineParallel { get; init; }
        [JsonPropertyName("num_prefill_gpu")] public int? PrefillGpus { get; init; }
        [JsonPropertyName("num_decode_gpu")] public int? DecodeGpus { get; init; }
        [JsonPropertyName("date")] public string? Date { get; init; }

        /// <summary>Tokens per second of one GPU, prompt and output together; latencies below are in seconds.</summary>
        [JsonPropertyName("tput_per_gpu")] public double? ThroughputPerGpu { get; init; }
        [JsonPropertyName("output_tput_per_gpu")] public double? OutputThroughputPerGpu { get; init; }
        [JsonPropertyName("input_tput_per_gpu")] public double? InputThroughputPerGpu { get; init; }
        [JsonPropertyName("mean_ttft")] public double? MeanTtft { get; init; }
        [JsonPropertyName("median_ttft")] public double? MedianTtft { get; init; }
        [JsonPropertyName("p90_ttft")] public double? P90Ttft { get; init; }
        [JsonPropertyName("p99_ttft")] public double? P99Ttft { get; init; }
        [JsonPropertyName("mean_tpot")] public double? MeanTpot { get; init; }
        [JsonPropertyName("median_tpot")] public double? MedianTpot { get; init; }
        [JsonPropertyName("p90_tpot")] public double? P90Tpot { get; init; }
        [JsonPropertyName("p99_tpot")] public double? P99Tpot { get; init; }

        /// <summary>Tokens per second of one user.</summary>
        [JsonPropertyName("median_intvty")] public double? MedianInteractivity { get; init; }
        [JsonPropertyName("mean_e2el")] public double? MeanE2el { get; init; }
        [JsonPropertyName("median_e2el")] public double? MedianE2el { get; init; }
        [JsonPropertyName("p90_e2el")] public double? P90E2el { get; init; }
        [JsonPropertyName("p99_e2el")] public double? P99E2el { get; init; }
        [JsonPropertyName("power_valid")] public int PowerValid { get; init; }
        [JsonPropertyName("power_metric_schema_version")] public int PowerSchema { get; init; } = 2;
        [JsonPropertyName("avg_power_w")] public double? AveragePowerPerGpu { get; init; }
        [JsonPropertyName("avg_total_gpu_power_w")] public double? AverageTotalPower { get; init; }
        [JsonPropertyName("total_gpu_energy_j")] public double? TotalEnergy { get; init; }
        [JsonPropertyName("joules_per_successful_query")] public double? JoulesPerQuery { get; init; }
        [JsonPropertyName("joules_per_input_token")] public double? JoulesPerInputToken { get; init; }
        [JsonPropertyName("joules_per_output_token")] public double? JoulesPerOutputToken { get; init; }
        [JsonPropertyName("joules_per_total_token")] public double? JoulesPerTotalToken { get; init; }
    }
}
