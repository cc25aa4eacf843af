namespace Harness.Fuzz;

/// <summary>A smaller input that fails alike (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).</summary>
internal static class Reduction
{
    private const int MostTries = 2_000;

    public static byte[] Of(Finding finding, Target target, Limits limits)
    {
        var (input, tries) = (finding.Input, 0);
        for (var part = input.Length / 2; part > 0; part /= 2)
            for (var at = 0; at + part <= input.Length && tries < MostTries;)
            {
                var shorter = ByteMutations.Replaced(input, at, at + part, []);
                tries++;
                if (FailsAlike(shorter)) input = shorter;
                else at += part;
            }
        return input;

        bool FailsAlike(byte[] shorter)
        {
            byte[]? left = shorter;
            Finding? found = null;
            using var scratch = new Scratch();
            var endless = new Worker(target.Open(scratch), limits, () => Interlocked.Exchange(ref left, null),
                (_, finding, _) => found = finding).Join();
            return (endless ?? found)?.Kind == finding.Kind;
        }
    }
}
