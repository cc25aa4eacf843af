using Harness.Runs.Records;

namespace Harness.Runs;

/// <summary>Takes the results of a batch as it finishes.</summary>
public interface IResultSink
{
    /// <exception cref="Harness.Common.UserErrorException">They cannot be stored; what was taken before is kept.</exception>
    void Append(IReadOnlyList<PromptRecord> prompts, IReadOnlyList<ResponseRecord> responses);
}
