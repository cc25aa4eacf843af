using System.Buffers.Binary;
using System.Text;

namespace Harness.TorchSharp.Loading;

/// <summary>The part of an ELF file that says which symbol versions it needs of which library.</summary>
/// <remarks>System V gABI, and the LSB's "Symbol Versioning" for the section of type SHT_GNU_verneed. 64 bits, little-endian.</remarks>
internal static class SharedObject
{
    private const int VersionNeeds = 0x6ffffffe;   // SHT_GNU_verneed
    private const ushort Weak = 2;                  // VER_FLG_WEAK: the linker does not refuse where the version is missing

    /// <summary>
    /// Marks a needed version as weak. The linker then loads the file although a library ends before that version; a symbol of it that
    /// is really used is still found missing.
    /// </summary>
    /// <returns>False where the file is no such ELF file or does not need the version; it is unchanged then.</returns>
    public static bool Weaken(Span<byte> file, string version)
    {
        if (file.Length < 64 || !file.StartsWith("\u007fELF\u0002\u0001"u8)) return false;
        try
        {
            var (headers, size, count) = (Offset(file, 0x28), Word(file, 0x3a), Word(file, 0x3c));
            for (var i = 0; i < count; i++)
            {
                var section = file[(headers + i * size)..];
                if (Double(section, 0x04) == VersionNeeds)
                    return Weaken(file, section, file[(headers + Double(section, 0x28) * size)..], version);
            }
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or IndexOutOfRangeException or OverflowException)
        {
            // Offsets that lead out of the file: not one that a linker would load either.
        }
        return false;
    }

    /// <param name="needs">Header of the section of needs: a chain of libraries, each with a chain of versions.</param>
    /// <param name="names">Header of the section with their names.</param>
    private static bool Weaken(Span<byte> file, ReadOnlySpan<byte> needs, ReadOnlySpan<byte> names, string version)
    {
        var wanted = Encoding.ASCII.GetBytes(version + '\0');
        var (at, text, found) = (Offset(needs, 0x18), Offset(names, 0x18), false);
        for (var libraries = Double(needs, 0x2c); libraries > 0; libraries--)
        {
            var library = file[at..];
            var entry = at + Double(library, 0x08);
            for (var versions = Word(library, 0x02); versions > 0; versions--)
            {
                var one = file[entry..];
                if (file[(text + Double(one, 0x08))..].StartsWith(wanted))
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(one[4..], (ushort)(Word(one, 4) | Weak));
                    found = true;
                }
                entry += Double(one, 0x0c);
            }
            at += Double(library, 0x0c);
        }
        return found;
    }

    private static int Word(ReadOnlySpan<byte> at, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(at[offset..]);

    private static int Double(ReadOnlySpan<byte> at, int offset) => unchecked((int)BinaryPrimitives.ReadUInt32LittleEndian(at[offset..]));

    private static int Offset(ReadOnlySpan<byte> at, int offset) => checked((int)BinaryPrimitives.ReadUInt64LittleEndian(at[offset..]));
}
