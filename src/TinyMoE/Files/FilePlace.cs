using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace TinyMoE.Files;

/// <summary>What a path leads to.</summary>
internal static class FilePlace
{
    private const int TypeMask = 0xF000, Pipe = 0x1000, CharacterDevice = 0x2000, BlockDevice = 0x6000, Socket = 0xC000;

    /// <summary>One path for a file, however it was reached: absolute, and without links.</summary>
    public static string Real(string path)
    {
        string full = Path.GetFullPath(path);
        if (!OperatingSystem.IsWindows())
            return LibC.RealPath(full) ?? full;
        try
        {
            return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            return full; // whoever reads it says what is wrong
        }
    }

    /// <summary>What is there instead of a regular file, which could be waited for without end; null: nothing of the kind.</summary>
    public static string? NotRegular(string path) => (LibC.Mode(path) & TypeMask) switch
    {
        Pipe => "a pipe",
        CharacterDevice or BlockDevice => "a device",
        Socket => "a socket",
        _ => null,
    };

    /// <summary>
    /// A path of which a name is not UTF-8, with the bytes of that name that are none escaped (<c>d/caf\xE9.txt</c>); null: there is none
    /// that this path could stand for.
    /// </summary>
    public static string? NotUtf8(string path)
    {
        string full = Path.GetFullPath(path);
        int start = 1;
        while (start < full.Length && full.IndexOf('\uFFFD', start) >= 0)
        {
            int separator = full.IndexOf(Path.DirectorySeparatorChar, start), end = separator < 0 ? full.Length : separator;
            string name = full[start..end];
            foreach (byte[] raw in name.Contains('\uFFFD', StringComparison.Ordinal) ? LibC.Names(full[..start]) : [])
            {
                if (!Utf8.IsValid(raw) && Encoding.UTF8.GetString(raw) == name)
                    return full[..start] + Escaped(raw) + full[end..];
            }

            start = end + 1;
        }

        return null;
    }

    private static string Escaped(ReadOnlySpan<byte> name)
    {
        StringBuilder escaped = new();
        while (!name.IsEmpty)
        {
            bool valid = Rune.DecodeFromUtf8(name, out Rune rune, out int length) == OperationStatus.Done;
            if (valid && !Rune.IsControl(rune))
                escaped.Append(rune);
            else
                escaped.Append(string.Concat(name[..length].ToArray().Select(value => $@"\x{value:X2}")));
            name = name[length..];
        }

        return escaped.ToString();
    }
}
