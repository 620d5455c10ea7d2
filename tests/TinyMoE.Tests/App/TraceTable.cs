using Parquet;
using Parquet.Schema;

namespace TinyMoE.Tests.App;

/// <summary>A trace as it is read back from a table: columns by name, null where a row has no value.</summary>
internal sealed class TraceTable
{
    private readonly Dictionary<string, object?[]> columns = [];

    private TraceTable()
    {
    }

    /// <summary>Rows.</summary>
    public int Count => columns["window"].Length;

    /// <summary>The names of the columns, in order.</summary>
    public IReadOnlyCollection<string> Names => columns.Keys;

    /// <summary>The values of a column.</summary>
    public object?[] this[string column] => columns[column];

    /// <summary>Reads a file, all its row groups.</summary>
    public static async Task<TraceTable> Read(string path)
    {
        TraceTable table = new();
        await using ParquetReader reader = await ParquetReader.CreateAsync(path, cancellationToken: CancellationToken.None);
        foreach (DataField field in reader.Schema.DataFields)
        {
            List<object?> values = [];
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
                values.AddRange(await Read(rows, field));
            }

            table.columns[field.Name] = [.. values];
        }

        return table;
    }

    /// <summary>The numbers of a column in the rows that have one.</summary>
    public IEnumerable<double> Numbers(string column) => this[column].Where(value => value is not null).Select(Convert.ToDouble);

    /// <summary>One row for each token.</summary>
    public int[] Tokens() => [.. Enumerable.Range(0, Count).DistinctBy(row => (this["window"][row], this["position"][row]))];

    private static async Task<IEnumerable<object?>> Read(ParquetRowGroupReader rows, DataField field)
    {
        int count = (int)rows.RowCount;
        if (field.ClrType == typeof(ReadOnlyMemory<char>) || field.ClrType == typeof(string))
        {
            string?[] texts = new string?[count];
            await rows.ReadAsync(field, texts.AsMemory()!, cancellationToken: CancellationToken.None);
            return texts;
        }

        return field.ClrType == typeof(int) ? await Numbers<int>() : field.ClrType == typeof(bool) ? await Numbers<bool>()
            : await Numbers<float>();

        async Task<IEnumerable<object?>> Numbers<T>()
            where T : struct
        {
            if (field.IsNullable)
            {
                T?[] some = new T?[count];
                await rows.ReadAsync<T>(field, some.AsMemory(), cancellationToken: CancellationToken.None);
                return some.Select(value => (object?)value);
            }

            T[] values = new T[count];
            await rows.ReadAsync<T>(field, values.AsMemory(), cancellationToken: CancellationToken.None);
            return values.Select(value => (object?)value);
        }
    }
}
