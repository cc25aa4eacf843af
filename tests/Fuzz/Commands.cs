using System.Globalization;
using Harness.Common;
using SharpFuzz;

namespace Harness.Fuzz;

internal static class Commands
{
    private const int Success = 0, Failure = 1, Misused = 2;

    private static readonly Limits s_limits = new();

    public static int Help()
    {
        Console.Error.WriteLine("fuzz list | run INPUTS SEED [TARGET|all] [FOLDER] | seeds FOLDER | replay TARGET FILE... | afl TARGET");
        return Misused;
    }

    public static int List()
    {
        foreach (var target in Targets.All) Console.WriteLine(target.Name);
        return Success;
    }

    public static int Run(int inputs, ulong seed, string name, string? folder)
    {
        List<Outcome> outcomes = [];
        Console.WriteLine(Row("target", "inputs", "refused", "wordings", "seconds", "findings"));
        foreach (var target in name == "all" ? Targets.All : [Targets.Find(name)])
        {
            var outcome = new Campaign(target, seed, inputs, s_limits).Run();
            outcomes.Add(outcome);
            Console.WriteLine(Row(target.Name, outcome.Inputs, outcome.Refused, outcome.Wordings, Math.Round(outcome.Seconds, 1),
                outcome.Findings.Count));
            foreach (var (number, finding) in outcome.Findings.Index()) Say(finding, target, number, folder);
        }
        Console.WriteLine(FormattableString.Invariant($"seed {seed}: {outcomes.Sum(one => one.Inputs)} inputs, ")
            + FormattableString.Invariant($"{outcomes.Sum(one => one.Findings.Count)} findings, {outcomes.Sum(one => one.Seconds):F0} s"));
        return outcomes.All(one => one.Findings.Count == 0) ? Success : Failure;
    }

    private static string Row(string target, params object[] cells) =>
        string.Create(CultureInfo.InvariantCulture, $"{target,-44}{string.Concat(cells.Select(cell => $"{cell,10}"))}");

    private static void Say(Finding finding, Target target, int number, string? folder)
    {
        Console.WriteLine($"  {finding.Count} x {finding.Kind}: {finding.What}");
        if (folder == null) return;
        var small = Reduction.Of(finding, target, s_limits);
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, FormattableString.Invariant($"{target.Name.Replace('/', '+')}-{number}"));
        File.WriteAllBytes(path, small);
        Console.WriteLine($"  {small.Length} bytes in {path}");
    }

    public static int WriteSeeds(string folder)
    {
        foreach (var target in Targets.All)
        {
            var own = Directory.CreateDirectory(Path.Combine(folder, target.Name.Replace('/', '+'))).FullName;
            foreach (var (number, seed) in target.Seeds().Index())
                File.WriteAllBytes(Path.Combine(own, FormattableString.Invariant($"seed-{number}")), seed);
        }
        return Success;
    }

    public static int Replay(Target target, string[] files)
    {
        var failed = false;
        foreach (var file in files)
        {
            using var scratch = new Scratch();
            byte[]? left = File.ReadAllBytes(file);
            Worker worker = new(target.Open(scratch), s_limits, () => Interlocked.Exchange(ref left, null), (_, finding, objection) =>
            {
                failed |= finding != null;
                Console.WriteLine($"{file}: {finding?.What ?? objection ?? "read"}");
            });
            if (worker.Join() is not { } endless) continue;
            failed = true;
            Console.WriteLine($"{file}: {endless.What}");
        }
        return failed ? Failure : Success;
    }

    /// <summary>
    /// An exception that leaves the entry is a crash to afl-fuzz; an objection is none. Instrumented code has nowhere to count before the
    /// first input, so that the target is looked up no sooner.
    /// </summary>
    public static int UnderAfl(string name)
    {
        using var scratch = new Scratch();
        Action<byte[]>? parse = null;
        Fuzzer.OutOfProcess.Run(stream =>
        {
            using var input = new MemoryStream();
            stream.CopyTo(input);
            parse ??= Targets.Find(name).Open(scratch);
            try
            {
                parse(input.ToArray());
            }
            catch (UserErrorException)
            {
            }
        });
        return Success;
    }
}
