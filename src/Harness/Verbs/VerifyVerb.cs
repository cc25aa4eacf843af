using System.CommandLine;
using Harness.Reporting;
using Harness.Runs;
using Harness.Runs.Records;
using Harness.Runs.Verifying;

namespace Harness.Verbs;

/// <summary><c>harness verify</c>: whether a run's figures follow from its raw files.</summary>
internal static class VerifyVerb
{
    private const int MostLines = 20;

    public static Command Create()
    {
        var command = new Command("verify",
            "Compute a run's figures again from its raw files; fails on a difference, a gap in samples, a decreasing counter, a missing "
            + "rank.");
        var run = new Argument<string>("RUN") { Description = "a run directory" };
        command.Arguments.Add(run);
        command.SetAction(parsed => Verify(parsed.GetValue(run)!));
        return command;
    }

    private static int Verify(string directory)
    {
        var problems = new RunVerification(directory).Check();
        foreach (var problem in problems.Take(MostLines)) Console.Error.WriteLine($"verify: {problem}");
        if (problems.Count > MostLines) Console.Error.WriteLine($"verify: and {problems.Count - MostLines} more");
        if (problems.Count > 0) return ExitCode.Failure;
        var summary = new RunReader(directory).Summary();
        Console.WriteLine($"{directory}: every figure follows from the raw files; status {summary.Status}, energy "
            + $"{(summary.Valid ? "valid" : $"not valid ({summary.InvalidReasons ?? summary.Status})")}");
        return ExitCode.Success;
    }
}
