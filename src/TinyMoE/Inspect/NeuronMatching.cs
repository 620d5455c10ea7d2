namespace TinyMoE.Inspect;

/// <summary>
/// Which hidden neuron of one expert stands for which of another: the pairs, each neuron in one, of the largest sum of similarities. By
/// shortest augmenting paths with potentials (Kuhn 1955; Jonker and Volgenant 1987), in F³ steps; or greedily, the most similar pair first.
/// </summary>
internal static class NeuronMatching
{
    /// <summary>
    /// For each row the column that it is matched with, of the largest sum. similarities (F, F).
    /// </summary>
    public static int[] Exact(ReadOnlySpan<float> similarities, int F)
    {
        // Rows join one after the other. A row looks for the cheapest path to a free column, over columns whose rows would move on; costs
        // are reduced by the potentials of rows and columns, so that no reduced cost is negative and paths are found as by Dijkstra.
        double[] ofRows = new double[F], ofColumns = new double[F], distance = new double[F];
        int[] rowOf = new int[F], columnBefore = new int[F];     // the row that has a column, −1: none; the column before it on the path
        bool[] isDone = new bool[F];
        Array.Fill(rowOf, -1);
        for (int added = 0; added < F; added++)
        {
            Array.Fill(distance, double.PositiveInfinity);
            Array.Clear(isDone);
            int row = added, column = -1;
            double reached = 0;
            do
            {
                int nearest = -1;
                for (int c = 0; c < F; c++)
                {
                    if (isDone[c])
                        continue;
                    double through = reached - similarities[row * F + c] - ofRows[row] - ofColumns[c];
                    if (through < distance[c])
                        (distance[c], columnBefore[c]) = (through, column);
                    if (nearest < 0 || distance[c] < distance[nearest])
                        nearest = c;
                }

                (column, reached) = (nearest, distance[nearest]);
                isDone[column] = true;
                row = rowOf[column];
            }
            while (row >= 0);

            for (int c = 0; c < F; c++)
            {
                if (!isDone[c] || c == column)
                    continue;
                ofRows[rowOf[c]] += reached - distance[c];
                ofColumns[c] -= reached - distance[c];
            }

            ofRows[added] += reached;
            for (int before; column >= 0; column = before)       // everybody on the path moves on by one
            {
                before = columnBefore[column];
                rowOf[column] = before < 0 ? added : rowOf[before];
            }
        }

        int[] columnOf = new int[F];
        for (int c = 0; c < F; c++)
            columnOf[rowOf[c]] = c;
        return columnOf;
    }

    /// <summary>The same, but the most similar pair first, then the most similar of those that are left. similarities (F, F).</summary>
    public static int[] Greedy(ReadOnlySpan<float> similarities, int F)
    {
        float[] keys = new float[F * F];
        int[] pairs = new int[F * F], columnOf = new int[F];
        for (int i = 0; i < keys.Length; i++)
            (keys[i], pairs[i]) = (-similarities[i], i);
        Array.Sort(keys, pairs);
        Array.Fill(columnOf, -1);
        bool[] isTaken = new bool[F];
        foreach (int pair in pairs)
        {
            var (row, column) = Math.DivRem(pair, F);
            if (columnOf[row] >= 0 || isTaken[column])
                continue;
            (columnOf[row], isTaken[column]) = (column, true);
        }

        return columnOf;
    }
}
