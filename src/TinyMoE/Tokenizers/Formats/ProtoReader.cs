using System.Buffers.Binary;
using System.Text;

namespace TinyMoE.Tokenizers.Formats;

/// <summary>Reads the fields of a protobuf message one after another; lengths are checked before anything is made.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> message, string path, int origin)
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;

    private readonly ReadOnlySpan<byte> message = message;
    private int at, start, length, wire;
    private ulong number;

    /// <summary>The number of the field.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field; false: there is none.</summary>
    public bool Next()
    {
        if (at == message.Length)
            return false;
        ulong key = ReadVarint();
        (Field, wire) = ((int)Math.Min(key >> 3, int.MaxValue), (int)(key & 7));
        if (Field == 0)
            throw Error();
        switch (wire)
        {
            case Varint:
                number = ReadVarint();
                break;
            case Delimited:
                ulong size = ReadVarint();
                if (size > (ulong)(message.Length - at))
                    throw Error();
                Take((int)size);
                break;
            case Fixed32:
                Take(4);
                break;
            case Fixed64:
                Take(8);
                break;
            default:
                throw Error();
        }

        return true;
    }

    /// <summary>The field as a message.</summary>
    public readonly ProtoReader Message() => new(Bytes(), path, origin + start);

    /// <summary>The field as bytes.</summary>
    public readonly ReadOnlySpan<byte> Bytes() => wire == Delimited ? message.Slice(start, length) : throw Error();

    /// <summary>The field as text.</summary>
    public readonly string Text()
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes)
            : throw new TinyMoEException($"{path} has a text that is not UTF-8 at byte {origin + start}.");
    }

    /// <summary>The field as a whole number.</summary>
    public readonly int Int() => wire == Varint ? (int)Math.Min(number, int.MaxValue) : throw Error();

    /// <summary>The field as a number.</summary>
    public readonly float Float() => wire == Fixed32 ? BinaryPrimitives.ReadSingleLittleEndian(message.Slice(start, length)) : throw Error();

    private void Take(int size)
    {
        if (size > message.Length - at)
            throw Error();
        (start, length) = (at, size);
        at += size;
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64 && at < message.Length; shift += 7)
        {
            byte part = message[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
                return value;
        }

        throw Error();
    }

    private readonly TinyMoEException Error() =>
        new($"{path} is no tokenizer that TinyMoE knows: not JSON, no lines of tiktoken, and as a model of SentencePiece wrong at byte {origin + at}.");
}
