namespace Harness.Tests;

/// <summary>
/// Cases that show at length what another case of the same test shows, with another seed, layout, launcher or signal. They are skipped,
/// with this as the reason, but for <c>tests/run.sh --long</c>, which the campaign calls.
/// </summary>
internal static class LongForm
{
    public const string Category = "Long";

    public const string Reason = "a case of the long form: tests/run.sh --long";

    public static bool IsAsked { get; } = Environment.GetEnvironmentVariable("HARNESS_TEST_LONG") == "1";

    public static TestCaseData Case(params object?[]? arguments)
    {
        var data = new TestCaseData(arguments).SetCategory(Category);
        return IsAsked ? data : data.Ignore(Reason);
    }
}

[AttributeUsage(AttributeTargets.Method, AllowMultiple = true, Inherited = false)]
internal sealed class LongTestCaseAttribute : TestCaseAttribute
{
    public LongTestCaseAttribute(params object?[]? arguments) : base(arguments)
    {
        Category = LongForm.Category;
        if (!LongForm.IsAsked) Ignore = LongForm.Reason;
    }
}
