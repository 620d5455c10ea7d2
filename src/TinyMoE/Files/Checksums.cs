using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace TinyMoE.Files;

/// <summary>
/// The SHA-256 of every file of a folder, kept in its file <see cref="RunFiles.Sums"/> as <c>sha256sum</c> writes and checks it: a line for
/// each file, 64 hexadecimal digits, two blanks, the name.
/// </summary>
internal sealed class Checksums
{
    /// <summary>So few bytes are hashed before another thread has begun.</summary>
    public const long Small = 1 << 20;

    /// <summary>The digits of checksums.</summary>
    public static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    private const long Longest = 1 << 24;
    private const int Digits = 64, BlockSize = 1 << 20;

    private readonly Dictionary<string, string> files = new(StringComparer.Ordinal);

    private Checksums()
    {
    }

    /// <summary>The names of the files, in ordinal order.</summary>
    public IEnumerable<string> Names => files.Keys.Order(StringComparer.Ordinal);

    /// <summary>The hexadecimal SHA-256 of a file; null where it is not in the list.</summary>
    public string? this[string name] => files.GetValueOrDefault(name);

    /// <summary>Adds the list of its files to a folder.</summary>
    public static void Write(string folder)
    {
        Checksums sums = new();
        FileInfo[] files = new DirectoryInfo(folder).GetFiles();
        IEnumerable<(string Name, string Hash)> hashed = files.Sum(file => file.Length) > Small
            ? files.AsParallel().Select(file => (file.Name, HashOf(file.FullName)))
            : files.Select(file => (file.Name, HashOf(file.FullName)));
        foreach ((string name, string hash) in hashed)
            sums.files.Add(name, hash);
        using FileStream list = new(Path.Combine(folder, RunFiles.Sums), FileMode.CreateNew, FileAccess.Write);
        list.Write(Encoding.UTF8.GetBytes(sums.ToString()));
    }

    /// <summary>The list of a folder, as it is written; null where there is none.</summary>
    /// <exception cref="TinyMoEException">What is there cannot be one.</exception>
    public static byte[]? TryReadFile(string folder)
    {
        string path = Path.Combine(folder, RunFiles.Sums);
        string? kind = FilePlace.NotRegular(path) ?? (new FileInfo(path) is { Exists: true, Length: > Longest } ? "a giant" : null);
        if (kind is not null)
            throw new TinyMoEException($"{path} is {kind} and no regular file with checksums; the checkpoint is damaged, use another.");
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Whether a folder has a list that names all of these files, whatever there is of them.</summary>
    public static bool List(string folder, IEnumerable<string> files)
    {
        try
        {
            return TryReadFile(folder) is { } text && files.All(Read(text, folder).files.ContainsKey);
        }
        catch (Exception e) when (e is TinyMoEException || FileProblem.Is(e))
        {
            return false;
        }
    }

    /// <summary>Reads a list; <paramref name="path"/> names it in errors.</summary>
    /// <exception cref="TinyMoEException">It is no such list.</exception>
    public static Checksums Read(ReadOnlySpan<byte> text, string path)
    {
        Checksums sums = new();
        foreach (string line in Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string name = line.Length > Digits + 2 ? line[(Digits + 2)..] : "";
            bool isLine = name.Length > 0 && name != RunFiles.Sums && !name.Any(c => char.IsControl(c) || c is '/' or '\\')
                && !line.AsSpan(0, Digits).ContainsAnyExcept(Hexadecimal) && line.AsSpan(Digits, 2) is "  ";
            if (!isLine || !sums.files.TryAdd(name, line[..Digits]))
                throw new TinyMoEException($"{path} is not a list of checksums as it should be; the checkpoint is damaged, use another.");
        }

        return sums;
    }

    /// <summary>The SHA-256 of some bytes.</summary>
    public static string HashOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>The SHA-256 of an open file, read from its beginning; it leaves the file's position alone.</summary>
    public static string HashOf(SafeFileHandle file)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = new byte[BlockSize];
        for (long offset = 0; ;)
        {
            int read = RandomAccess.Read(file, block, offset);
            if (read == 0)
                return Convert.ToHexStringLower(hash.GetHashAndReset());
            hash.AppendData(block, 0, read);
            offset += read;
        }
    }

    /// <summary>The list as it is written.</summary>
    public override string ToString() => string.Concat(Names.Select(name => $"{files[name]}  {name}\n"));

    private static string HashOf(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return HashOf(file);
    }
}
