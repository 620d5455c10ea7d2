namespace TinyMoE.Tokenizers.Chat;

/// <content>Expressions, from the loosest binding to the tightest (Jinja documentation, "Expressions").</content>
internal sealed partial class TemplateParser
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    /// <summary>An expression, or several with commas between them, which are a tuple.</summary>
    private Expression Tuple(bool conditional = true, string? end = null, bool mayBeEmpty = false) =>
        Several(() => Expression(conditional), end, mayBeEmpty);

    /// <summary>Names with commas between them.</summary>
    private Expression TargetTuple(bool mayBeNamespace, string? end) => Several(() => Primary(mayBeNamespace), end, mayBeEmpty: false);

    private Expression Several(Func<Expression> read, string? end, bool mayBeEmpty)
    {
        int line = Current.Line;
        List<Expression> items = [];
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0)
                ExpectOperator(",");
            bool ends = Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || Current.IsOperator(")");
            if (ends || (end is not null && Current.IsName(end)))
                break;
            items.Add(read());
            if (!Current.IsOperator(","))
                break;
            isTuple = true;
        }

        if (isTuple || (items.Count == 0 && mayBeEmpty))
            return new Sequence(line, items, isTuple: true);
        return items.Count == 1 ? items[0] : throw new TemplateFailure($"Expected an expression, got {Shown(Current)}", line);
    }

    private Expression Expression(bool conditional = true)
    {
        Deepen();
        Expression value = Or();
        while (conditional && Current.IsName("if"))
        {
            int line = Take().Line;
            Expression test = Or();
            value = new Conditional(line, test, value, SkipName("else") ? Expression() : null);
        }

        depth--;
        return value;
    }

    private Expression Or()
    {
        Expression left = And();
        while (Current.IsName("or"))
            left = new Junction(Take().Line, isAnd: false, left, And());
        return left;
    }

    private Expression And()
    {
        Expression left = Not();
        while (Current.IsName("and"))
            left = new Junction(Take().Line, isAnd: true, left, Not());
        return left;
    }

    private Expression Not()
    {
        if (!Current.IsName("not"))
            return Compared();
        int line = Take().Line;
        Deepen();
        Expression value = Not();
        depth--;
        return new Negation(line, value);
    }

    private Expression Compared()
    {
        int line = Current.Line;
        Expression first = Sum();
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (Current.Kind == TokenKind.Operator && Comparisons.Contains(Current.Text))
                rest.Add((Take().Text, Sum()));
            else if (SkipName("in"))
                rest.Add(("in", Sum()));
            else if (Current.IsName("not") && tokens[at + 1].IsName("in"))
                rest.Add(("not in", AfterNotIn()));
            else
                return rest.Count == 0 ? first : new Comparison(line, first, rest);
        }
    }

    private Expression AfterNotIn()
    {
        at += 2;
        return Sum();
    }

    private Expression Sum()
    {
        Expression left = Concatenated();
        while (Current.IsOperator("+") || Current.IsOperator("-"))
        {
            TemplateToken sign = Take();
            left = new Arithmetic(sign.Line, sign.Text, left, Concatenated());
        }

        return left;
    }

    private Expression Concatenated()
    {
        int line = Current.Line;
        List<Expression> parts = [Product()];
        while (SkipOperator("~"))
            parts.Add(Product());
        return parts.Count == 1 ? parts[0] : new Concatenation(line, parts);
    }

    private Expression Product()
    {
        Expression left = Power();
        while (Current.Kind == TokenKind.Operator && Current.Text is "*" or "/" or "//" or "%")
        {
            TemplateToken sign = Take();
            left = new Arithmetic(sign.Line, sign.Text, left, Power());
        }

        return left;
    }

    // From left to right, other than Python's.
    private Expression Power()
    {
        Expression left = Unary();
        while (Current.IsOperator("**"))
            left = new Arithmetic(Take().Line, "**", left, Unary());
        return left;
    }

    private Expression Unary(bool filtered = true)
    {
        Deepen();
        TemplateToken token = Current;
        Expression value;
        if (SkipOperator("-"))
            value = new Signed(token.Line, negative: true, Unary(filtered: false));
        else if (SkipOperator("+"))
            value = new Signed(token.Line, negative: false, Unary(filtered: false));
        else
            value = Primary();
        value = Postfix(value);
        depth--;
        return filtered ? Filtered(value) : value;
    }

    private Expression Primary(bool mayBeNamespace = false)
    {
        TemplateToken token = Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return NameOrConstant(token, mayBeNamespace);
            case TokenKind.String:
                string text = token.Text;
                while (Current.Kind == TokenKind.String)
                    text += Take().Text;
                return new Constant(token.Line, text);
            case TokenKind.Number:
                return new Constant(token.Line, token.Value!);
            case TokenKind.Operator when token.Text == "(":
                Expression inner = Tuple(mayBeEmpty: true);
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return List(token.Line);
            case TokenKind.Operator when token.Text == "{":
                return Dict(token.Line);
            default:
                at--;
                throw new TemplateFailure($"unexpected {Shown(token)}", token.Line);
        }
    }

    private Expression NameOrConstant(TemplateToken token, bool mayBeNamespace)
    {
        switch (token.Text)
        {
            case "true" or "True" or "false" or "False":
                return new Constant(token.Line, token.Text is "true" or "True");
            case "none" or "None":
                return new Constant(token.Line, NoneValue.Instance);
        }

        names.Add(token.Text);
        return mayBeNamespace && SkipOperator(".") ? new NamespaceName(token.Line, token.Text, TakeName())
            : new Name(token.Line, token.Text);
    }

    private Sequence List(int line)
    {
        List<Expression> items = [];
        while (!Current.IsOperator("]"))
        {
            if (items.Count > 0)
                ExpectOperator(",");
            if (Current.IsOperator("]"))
                break;
            items.Add(Expression());
        }

        ExpectOperator("]");
        return new Sequence(line, items, isTuple: false);
    }

    private Mapping Dict(int line)
    {
        List<KeyValuePair<Expression, Expression>> items = [];
        while (!Current.IsOperator("}"))
        {
            if (items.Count > 0)
                ExpectOperator(",");
            if (Current.IsOperator("}"))
                break;
            Expression key = Expression();
            ExpectOperator(":");
            items.Add(KeyValuePair.Create(key, Expression()));
        }

        ExpectOperator("}");
        return new Mapping(line, items);
    }

    private Expression Postfix(Expression value)
    {
        int before = depth;
        while (Current.Kind == TokenKind.Operator && Current.Text is "." or "[" or "(")
        {
            Deepen(); // a row of them is a deep tree
            value = Current.Text == "(" ? new Call(Current.Line, value, Arguments()) : Subscript(value);
        }

        depth = before;
        return value;
    }

    private Expression Filtered(Expression value)
    {
        int before = depth;
        while (true)
        {
            if (Current.IsOperator("|"))
                value = Filter(value, begins: false);
            else if (Current.IsName("is"))
                value = Test(value);
            else if (Current.IsOperator("("))
                value = new Call(Current.Line, value, Arguments());
            else
                break;
            Deepen();
        }

        depth = before;
        return value;
    }

    private Expression Subscript(Expression value)
    {
        TemplateToken token = Take();
        if (token.Text == ".")
        {
            TemplateToken name = Take();
            return name.Kind == TokenKind.Name ? new AttributeOf(token.Line, value, name.Text)
                : name is { Kind: TokenKind.Number, Value: long } ? new ItemOf(token.Line, value, new Constant(name.Line, name.Value))
                : throw new TemplateFailure("expected name or number", name.Line);
        }

        List<Expression> keys = [];
        Expression? slice = null;
        while (!Current.IsOperator("]"))
        {
            if (keys.Count > 0 || slice is not null)
                ExpectOperator(",");
            Expression? start = Current.IsOperator(":") ? null : Expression();
            if (!SkipOperator(":"))
                keys.Add(start!);
            else
                slice = new SliceOf(token.Line, value, start, Bound(), SkipOperator(":") ? Bound() : null);
        }

        ExpectOperator("]");
        if (slice is not null)
            return keys.Count == 0 ? slice : throw new TemplateFailure("a slice stands alone in its brackets", token.Line);
        return new ItemOf(token.Line, value, keys.Count == 1 ? keys[0] : new Sequence(token.Line, keys, isTuple: true));
    }

    private Expression? Bound() => Current.IsOperator(":") || Current.IsOperator("]") || Current.IsOperator(",") ? null : Expression();

    /// <summary>Filters in a row; the first of a block has no bar before it.</summary>
    private FilterOf Filter(Expression? value, bool begins)
    {
        FilterOf? filter = null;
        int before = depth;
        while (begins || Current.IsOperator("|"))
        {
            if (!begins)
                at++;
            begins = false;
            int line = Current.Line;
            string name = DottedName();
            filter = new FilterOf(line, filter ?? value, name, Current.IsOperator("(") ? Arguments() : ArgumentList.None);
            Deepen();
        }

        depth = before;
        return filter!;
    }

    private Expression Test(Expression value)
    {
        int line = Take().Line;
        bool negated = SkipName("not");
        string name = DottedName();
        ArgumentList arguments = ArgumentList.None;
        if (Current.IsOperator("("))
        {
            arguments = Arguments();
        }
        else if (Current.Kind is TokenKind.String or TokenKind.Number || Current.IsOperator("[") || Current.IsOperator("{")
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and")))
        {
            if (Current.IsName("is"))
                throw new TemplateFailure("You cannot chain multiple tests with is", line);
            arguments = new ArgumentList([Postfix(Primary())], [], null, null);
        }

        Expression test = new TestOf(line, value, name, arguments);
        return negated ? new Negation(line, test) : test;
    }

    private string DottedName()
    {
        string name = TakeName();
        while (SkipOperator("."))
            name += "." + TakeName();
        return name;
    }

    private ArgumentList Arguments()
    {
        int line = Current.Line;
        List<Expression> positional = [];
        List<KeyValuePair<string, Expression>> named = [];
        Expression? all = null, allNamed = null;
        ExpectOperator("(");
        for (bool first = true; !Current.IsOperator(")"); first = false)
        {
            if (!first)
                ExpectOperator(",");
            if (Current.IsOperator(")"))
                break;
            bool isNamed = Current.Kind == TokenKind.Name && tokens[at + 1].IsOperator("=");
            bool isPositional = !isNamed && !Current.IsOperator("**");
            bool isLate = all is not null || (named.Count > 0 && !Current.IsOperator("*"));
            if (allNamed is not null || (isPositional && isLate))
                throw new TemplateFailure("invalid syntax for function call expression", line);
            if (SkipOperator("*"))
                all = Expression();
            else if (SkipOperator("**"))
                allNamed = Expression();
            else if (isNamed)
                named.Add(KeyValuePair.Create(NameBeforeEquals(), Expression()));
            else
                positional.Add(Expression());
        }

        ExpectOperator(")");
        return new ArgumentList(positional, named, all, allNamed);
    }

    private string NameBeforeEquals()
    {
        at += 2;
        return tokens[at - 2].Text;
    }
}
