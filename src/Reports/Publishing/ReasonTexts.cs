using Harness.Energy.Accounting;

namespace Harness.Reports.Publishing;

/// <summary>What each code of <c>invalid_reasons</c> means, as plain text.</summary>
internal static class ReasonTexts
{
    public static IReadOnlyDictionary<string, string> All { get; } =
        InvalidReason.Table.ToDictionary(reason => reason.Code, reason => reason.Meaning.Replace("`", "", StringComparison.Ordinal));
}
