using System.Globalization;
using System.Security.Cryptography;
using Harness.Common;

namespace Harness.Runs;

/// <summary>Names of runs. A <c>run_id</c> is unique wherever runs are merged; a directory's name may be the user's own.</summary>
public static class RunName
{
    /// <summary>
    /// <c>20251121T015600Z-MODEL-3fa9c1</c>: sorts by time, says what ran, and three random bytes keep two of a second apart.
    /// </summary>
    public static string NewId(string model, DateTimeOffset now)
    {
        var name = PlainName.Of(PlainName.LastPart(model));
        var time = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var random = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3));
        return $"{time}-{(name.Length > 40 ? name[..40] : name)}-{random}";
    }

    /// <exception cref="UserErrorException">It is no name of a directory of its own, or holds control characters.</exception>
    public static string Checked(string name) =>
        PlainName.Is(name)
            ? name
            : throw new UserErrorException(
                $"the run's name '{name}' is not a plain name; give the directory with --out and a name without slashes and control "
                    + "characters");
}
