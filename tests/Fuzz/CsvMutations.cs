using System.Text;
using Harness.Common;

namespace Harness.Fuzz;

/// <summary>Changes of tables and of lines. Bytes stand for characters (Latin-1), so that broken UTF-8 stays as broken as it is.</summary>
internal static class CsvMutations
{
    private static readonly string[] s_cells =
    [
        "", " ", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-1", "0", "1", "0.5", "1e308", "5e-324", "1e15", "2147483647",
        "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808", "18446744073709551616", "79228162514264337593543950336",
        "0x", "0xzz", "0xffffffffffffffffff", "true", "TRUE", "yes", "\"", "\"\"", "\"\"\"", "\"a\"\"b\"", "\"a,b\"", "\"a\nb\"",
        "'=1+1", "=1+1", "null", "1,2", "1;2", "\t", "\0", "\xFF\xFE", "\xC3(", "\xED\xA0\x80", "\xEF\xBB\xBF", "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00", "2026-01-02T03:04:05Z", "../../x", "gpu", "measured-1",
    ];

    public static byte[] Change(byte[] input, byte[] other, SplitMix64 random)
    {
        var lines = LinesOf(input);
        var at = random.Index(3) == 0 ? 0 : random.Index(lines.Count);
        var cells = lines[at].Split(',').ToList();
        var cell = random.Index(cells.Count);
        switch (random.Index(9))
        {
            case < 5:
                cells[cell] = random.Of(s_cells);
                break;
            case 5:
                cells.RemoveAt(cell);
                break;
            case 6:
                cells.Insert(cell, cells[random.Index(cells.Count)]);
                break;
            case 7:
                cells[cell] = random.Of(LinesOf(other)).Split(',') is var theirs ? random.Of(theirs) : "";
                break;
            default:
                return ChangeLines(input, other, random);
        }
        lines[at] = string.Join(',', cells);
        return Bytes(lines);
    }

    public static byte[] ChangeLines(byte[] input, byte[] other, SplitMix64 random)
    {
        var lines = LinesOf(input);
        var (at, second) = (random.Index(lines.Count), random.Index(lines.Count));
        switch (random.Index(7))
        {
            case 0:
                lines.RemoveAt(at);
                break;
            case 1:
                lines.Insert(at, lines[second]);
                break;
            case 2:
                (lines[at], lines[second]) = (lines[second], lines[at]);
                break;
            case 3:
                lines.Insert(at, random.Of(s_cells));
                break;
            case 4:
                lines[at] = lines[at][..random.Index(lines[at].Length)];
                break;
            case 5:
                lines[at] += "\r";
                break;
            default:
                lines[at] = random.Of(LinesOf(other));
                break;
        }
        return Bytes(lines);
    }

    private static List<string> LinesOf(byte[] input) => [.. Encoding.Latin1.GetString(input).Split('\n')];

    private static byte[] Bytes(List<string> lines) => Encoding.Latin1.GetBytes(string.Join('\n', lines));
}
