using System.Security;

namespace TinyMoE.Files;

/// <summary>What the file system refuses, told in a few words of one line.</summary>
internal static class FileProblem
{
    private const int DiskFullUnix = 28;                       // ENOSPC
    private const int DiskFullWindows = unchecked((int)0x80070070);
    private const int HandleDiskFullWindows = unchecked((int)0x80070027);

    /// <summary>Whether <paramref name="e"/> is the file system's and not a bug.</summary>
    public static bool Is(Exception e) => e is IOException or UnauthorizedAccessException or SecurityException;

    /// <summary>The reason, without the path.</summary>
    public static string Reason(Exception e) => e switch
    {
        FileNotFoundException => "it does not exist",
        DirectoryNotFoundException => "a folder on the way does not exist",
        UnauthorizedAccessException or SecurityException => "permission denied",
        PathTooLongException => "the path is too long",
        IOException { HResult: DiskFullUnix or DiskFullWindows or HandleDiskFullWindows } => "the disk is full",
        _ => Shorten(e.Message),
    };

    // "Not a directory : '/a/b'" -> "not a directory"
    private static string Shorten(string message)
    {
        string line = message.ReplaceLineEndings(" ");
        int path = line.IndexOf(" : '", StringComparison.Ordinal);
        line = (path > 0 ? line[..path] : line).TrimEnd('.', ' ');
        return line.Length > 1 && char.IsLower(line[1]) ? char.ToLowerInvariant(line[0]) + line[1..] : line;
    }
}
