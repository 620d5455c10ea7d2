using Parquet;
using Parquet.Schema;

namespace TinyMoE.App;

/// <summary>A column of a table in Parquet that gathers values until they are written.</summary>
internal abstract class TraceColumn(DataField description)
{
    /// <summary>Its name and type.</summary>
    public DataField Field => description;

    /// <summary>Rows that are not written yet.</summary>
    public int Count { get; protected set; }

    /// <summary>A row without a value.</summary>
    public abstract void AddNull(int times = 1);

    /// <summary>Writes the rows, and is empty again.</summary>
    public abstract Task WriteAsync(ParquetRowGroupWriter group);
}

/// <summary>A column of values of one type.</summary>
internal sealed class TraceColumn<T>(DataField description) : TraceColumn(description)
    where T : struct
{
    private T[] values = new T[1024];
    private int[] levels = [];                                   // 1 for a row with a value, 0 without: Parquet's definition levels
    private int count;                                           // values; Count is rows
    private bool hasNulls;                                       // until the first row without a value, levels are not kept

    /// <summary>A row with a value.</summary>
    public void Add(T value)
    {
        if (count == values.Length)
            Array.Resize(ref values, 2 * count);
        values[count++] = value;
        if (hasNulls)
            AddLevels(1, 1);
        Count++;
    }

    /// <summary>Rows with the same value.</summary>
    public void Add(T value, int times)
    {
        if (count + times > values.Length)
            Array.Resize(ref values, Math.Max(2 * values.Length, count + times));
        values.AsSpan(count, times).Fill(value);
        count += times;
        if (hasNulls)
            AddLevels(1, times);
        Count += times;
    }

    /// <inheritdoc/>
    public override void AddNull(int times = 1)
    {
        if (!hasNulls)
            FillLevels();
        AddLevels(0, times);
        Count += times;
    }

    /// <inheritdoc/>
    public override async Task WriteAsync(ParquetRowGroupWriter group)
    {
        ReadOnlyMemory<int>? defined = null;                     // not a conditional: null would become an empty memory there
        if (Field.IsNullable)
        {
            if (!hasNulls)
                FillLevels();
            defined = levels.AsMemory(0, Count);
        }

        await group.WriteAllPartsAsync<T>(Field, values.AsMemory(0, count), defined, repetitionLevels: null, CancellationToken.None)
            .ConfigureAwait(false);
        (Count, count, hasNulls) = (0, 0, false);
    }

    /// <summary>Begins to keep levels: all rows so far have values.</summary>
    private void FillLevels()
    {
        if (levels.Length < Count)
            levels = new int[Math.Max(values.Length, Count)];
        levels.AsSpan(0, Count).Fill(1);
        hasNulls = true;
    }

    private void AddLevels(int level, int times)
    {
        if (Count + times > levels.Length)
            Array.Resize(ref levels, Math.Max(2 * levels.Length, Count + times));
        levels.AsSpan(Count, times).Fill(level);
    }
}

/// <summary>Values that may be none.</summary>
internal static class TraceColumnExtensions
{
    /// <summary>A number; NaN: none.</summary>
    public static void AddNumber(this TraceColumn<float> column, float value, int times)
    {
        if (float.IsNaN(value))
            column.AddNull(times);
        else
            column.Add(value, times);
    }

    /// <summary>The same in one row.</summary>
    public static void AddNumber(this TraceColumn<float> column, float value)
    {
        if (float.IsNaN(value))
            column.AddNull();
        else
            column.Add(value);
    }

    /// <summary>A whole number, or <paramref name="none"/>.</summary>
    public static void AddUnless(this TraceColumn<int> column, int value, int none, int times = 1)
    {
        if (value == none)
            column.AddNull(times);
        else
            column.Add(value, times);
    }

    /// <summary>A text; null: none.</summary>
    public static void AddText(this TraceColumn<ReadOnlyMemory<char>> column, string? text, int times = 1)
    {
        if (text is null)
            column.AddNull(times);
        else
            column.Add(text.AsMemory(), times);
    }
}
