using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Runs.Records;

/// <summary>One row of <c>ranks.csv</c>: what one rank did in one window of one repeat.</summary>
[JsonConverter(typeof(ColumnsAsJson<RankRecord>))]
public sealed record RankRecord
{
    [SameColumn(typeof(SummaryRecord), "run_id")] public required string RunId { get; init; }
    [Column("repeat", "", "measured repeat, from 1; 0 for windows of none")] public int Repeat { get; init; }

    [Column("window", "", "`load`, `warmup`, `idle`, `cooldown`, `measured-N`, `torn-N`: as in windows.jsonl")]
    public required string Window { get; init; }

    [Column("rank", "", "of the world")] public int Rank { get; init; }
    [Column("host", "", "the rank's machine")] public required string Host { get; init; }
    [Column("local_rank", "", "among the ranks of its machine")] public int LocalRank { get; init; }
    [Column("tensor_rank", "", "among the ranks that share each layer")] public int TensorRank { get; init; }
    [Column("stage", "", "of the pipeline")] public int Stage { get; init; }
    [Column("replica", "", "of the model")] public int Replica { get; init; }
    [Column("device", "", "UUIDs of the devices that the rank reads, joined by `+`; empty where it reads none")]
    public string? Device { get; init; }

    [Column("seconds", "s", "how long the window was, as the rank saw it")] public double Seconds { get; init; }

    [Column("energy_j", "J", "measured, of those devices that the rank reads and `total_energy_j` counts: one that several ranks read stands "
        + "in the row of each")]
    public double? EnergyJoules { get; init; }

    [Column("prefill_j", "J", "of `energy_j`, while the ranks that work on these devices computed for prompts; with the four that follow "
        + "it adds up to `energy_j`. Empty where the host cannot see a device communicate and wait (NCCL)", "phases.csv and power.csv",
        Extension = 1)]
    public double? PrefillJoules { get; init; }

    [Column("decode_j", "J", "of it, while they computed for the next tokens", Extension = 1)]
    public double? DecodeJoules { get; init; }

    [Column("communication_j", "J", "of it, in collectives, where a rank also waits for the slowest, and in sends", Extension = 1)]
    public double? CommunicationJoules { get; init; }

    [Column("waiting_j", "J", "of it, waiting for activations, tokens or requests", Extension = 1)]
    public double? WaitingJoules { get; init; }

    [Column("other_j", "J", "of it, the rest", Extension = 1)]
    public double? OtherJoules { get; init; }

    [Column("bytes_sent", "bytes", "to other ranks; empty for a window that was cut")] public long? BytesSent { get; init; }

    [Column("collective_wait_s", "s", "waiting for the other ranks of the tensor group")]
    public double? CollectiveWaitSeconds { get; init; }

    [Column("receive_wait_s", "s", "waiting for the stage before, or for the last stage's tokens: the pipeline's idle time")]
    public double? ReceiveWaitSeconds { get; init; }

    [Column("weight_bytes_read", "bytes", "of the checkpoint's files")] public long? WeightBytesRead { get; init; }
    [Column("weight_bytes_resident", "bytes", "of weights in memory")] public long? WeightBytesResident { get; init; }
    [Column("kv_cache_bytes", "bytes", "of keys and values that the rank holds room for")] public long? KvCacheBytes { get; init; }

    [Column("core_wait_share", "", "of the time in which threads of the rank's process ran or were ready to run, the share in which they "
        + "had no core: above 0 where others use the machine, or where a rank was given fewer cores than threads; empty for a window that was "
        + "cut, and where the system does not tell", "/proc/self/task/*/schedstat", Extension = 2,
        IsOfOneRun = true)]
    public double? CoreWaitShare { get; init; }

    /// <summary>The largest of measured windows; null where none tells.</summary>
    public static double? LargestCoreWait(IEnumerable<RankRecord> rows) => rows.Where(row => row.Repeat > 0).Max(row => row.CoreWaitShare);

    /// <summary>The row with joules, and what they were used for.</summary>
    public RankRecord With(double? joules, PhaseJoules? phases) => this with
    {
        EnergyJoules = joules,
        PrefillJoules = phases?.Prefill,
        DecodeJoules = phases?.Decode,
        CommunicationJoules = phases?.Communication,
        WaitingJoules = phases?.Waiting,
        OtherJoules = phases?.Other,
    };
}
