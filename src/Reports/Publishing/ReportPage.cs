using System.Security.Cryptography;
using System.Text;

namespace Harness.Reports.Publishing;

/// <summary>
/// The page as one file that needs nothing else: markup, style, libraries, script and data. Its content security policy
/// forbids every request, and every script but those whose digests it names.
/// </summary>
internal static class ReportPage
{
    private static readonly string[] s_scripts = ["d3.min.js", "plot.umd.min.js", "charts.js", "table.js", "page.js"];

    public static string Html(string json)
    {
        var scripts = s_scripts.Select(Resources.Text).ToList();
        var policy = $"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src "
            + $"{string.Join(' ', scripts.Select(Digest))}";
        return Resources.Text("page.html")
            .Replace("{{policy}}", policy, StringComparison.Ordinal)
            .Replace("{{style}}", Resources.Text("page.css"), StringComparison.Ordinal)
            .Replace("{{licences}}", $"{Resources.Text("d3.LICENSE")}\n{Resources.Text("plot.LICENSE")}", StringComparison.Ordinal)
            .Replace("{{scripts}}", string.Concat(scripts.Select(script => $"<script>{script}</script>\n")), StringComparison.Ordinal)
            .Replace("{{data}}", json, StringComparison.Ordinal); // last: no text of a run is taken for a place
    }

    private static string Digest(string script) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)))}'";
}
