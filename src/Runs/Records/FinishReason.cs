namespace Harness.Runs.Records;

/// <summary>Why a prompt's generation ended: the values of the column <c>finish_reason</c>.</summary>
public static class FinishReason
{
    public const string Eos = "eos";
    public const string Length = "length";

    /// <summary>The prompt did not fit the context: nothing was generated.</summary>
    public const string ContextLength = "context_length";

    public const string Error = "error";

    public static bool IsFailure(string reason) => reason is not (Eos or Length);
}
