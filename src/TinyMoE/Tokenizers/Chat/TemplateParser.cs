namespace TinyMoE.Tokenizers.Chat;

/// <summary>Makes statements of a template's tokens (Jinja documentation, "List of Control Structures").</summary>
internal sealed partial class TemplateParser
{
    private readonly IReadOnlyList<TemplateToken> tokens;
    private readonly TemplateLimits limits;
    private readonly List<string> names = []; // all that were read so far, in order
    private int at, depth, loops;

    private TemplateParser(IReadOnlyList<TemplateToken> tokens, TemplateLimits limits) => (this.tokens, this.limits) = (tokens, limits);

    private TemplateToken Current => tokens[at];

    /// <summary>The statements of a template.</summary>
    public static IReadOnlyList<Statement> Parse(string source, TemplateLimits limits)
    {
        TemplateParser parser = new(TemplateLexer.Read(source), limits);
        List<Statement> statements = parser.Statements(null);
        return statements;
    }

    /// <summary>Statements up to a tag of one of these names, which is left standing; null: up to the end of the template.</summary>
    private List<Statement> Statements(string? open, params ReadOnlySpan<string> ends)
    {
        Deepen();
        int line = Current.Line;
        List<Statement> statements = [];
        while (true)
        {
            TemplateToken token = Current;
            switch (token.Kind)
            {
                case TokenKind.Data:
                    at++;
                    statements.Add(new TextStatement(token.Line, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    at++;
                    statements.Add(new Print(token.Line, Tuple()));
                    Expect(TokenKind.VariableEnd, "end of print statement");
                    break;
                case TokenKind.BlockBegin:
                    string tag = tokens[at + 1].Kind == TokenKind.Name ? tokens[at + 1].Text
                        : throw new TemplateFailure("tag name expected", token.Line);
                    if (ends.Contains(tag))
                    {
                        at += 2;
                        depth--;
                        return statements;
                    }

                    at++;
                    statements.Add(Tag(tag, open));
                    Expect(TokenKind.BlockEnd, "end of statement block");
                    break;
                default:
                    if (open is not null)
                    {
                        throw new TemplateFailure(
                            $"Unexpected end of template. Jinja was looking for {Listed(ends)} to end the block '{open}'", line);
                    }

                    depth--;
                    return statements;
            }
        }
    }

    /// <summary>Reads a statement from its name up to the end of its last tag, which is left standing.</summary>
    private Statement Tag(string tag, string? open)
    {
        int line = Take().Line;
        switch (tag)
        {
            case "for":
                return ReadFor(line);
            case "if":
                return ReadIf(line);
            case "set":
                return ReadSet(line);
            case "macro":
                string name = TakeName();
                return new MacroStatement(line, name, ReadMacro(name, Parameters(), "macro", "endmacro"));
            case "call":
                return ReadCall(line);
            case "filter":
                FilterOf filter = Filter(null, begins: true);
                return new FilterBlock(line, filter, Outside(() => Closed("filter", "endfilter")));
            case "with":
                return ReadWith(line);
            case "generation": // marks what an assistant wrote, for training; its body is a scope of its own
                return new With(line, [], Outside(() => Closed("generation", "endgeneration")));
            case "print":
                return new Print(line, Tuple());
            case "break" or "continue":
                if (loops == 0)
                    throw new TemplateFailure($"'{tag}' stands outside of a loop", line);
                return new Leave(line, tag == "break" ? Flow.Break : Flow.Continue);
            case "block" or "extends" or "include" or "import" or "from" or "autoescape" or "do" or "trans":
                throw new TemplateFailure($"the tag '{tag}' is not for chat templates, which are of one file", line);
            default:
                string hint = open is null ? "" : $" The innermost block that needs to be closed is '{open}'.";
                throw new TemplateFailure($"Encountered unknown tag '{tag}'.{hint}", line);
        }
    }

    private For ReadFor(int line)
    {
        Expression target = Target(mayBeNamespace: false, end: "in");
        if (target is Name { Text: "loop" } || (target is Sequence all && all.Items.Any(item => item is Name { Text: "loop" })))
            throw new TemplateFailure("Can't assign to special loop variable in for-loop target", line);
        ExpectName("in");
        Expression items = Tuple(conditional: false, end: "recursive");
        Expression? test = SkipName("if") ? Expression() : null;
        bool isRecursive = SkipName("recursive");
        EndTag();
        loops++;
        List<Statement> body = Statements("for", "endfor", "else");
        loops--;
        List<Statement> otherwise = [];
        if (tokens[at - 1].IsName("else"))
        {
            EndTag();
            otherwise = Statements("for", "endfor");
        }

        return new For(line, target, items, test, isRecursive, body, otherwise);
    }

    private If ReadIf(int line)
    {
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        List<Statement> otherwise = [];
        do
        {
            Expression test = Tuple(conditional: false);
            EndTag();
            branches.Add((test, Statements("if", "elif", "else", "endif")));
        }
        while (tokens[at - 1].IsName("elif"));
        if (tokens[at - 1].IsName("else"))
        {
            EndTag();
            otherwise = Statements("if", "endif");
        }

        return new If(line, branches, otherwise);
    }

    private Statement ReadSet(int line)
    {
        Expression target = Target(mayBeNamespace: true);
        if (SkipOperator("="))
            return new Set(line, target, Tuple());
        FilterOf? filter = Current.IsOperator("|") ? Filter(null, begins: false) : null;
        return new SetBlock(line, target, filter, Outside(() => Closed("set", "endset")));
    }

    private CallBlock ReadCall(int line)
    {
        IReadOnlyList<MacroParameter> parameters = Current.IsOperator("(") ? Parameters() : [];
        if (Expression() is not Call call)
            throw new TemplateFailure("expected call", line);
        return new CallBlock(line, call, ReadMacro("caller", parameters, "call", "endcall"));
    }

    private With ReadWith(int line)
    {
        List<(Expression, Expression)> set = [];
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (set.Count > 0)
                ExpectOperator(",");
            Expression target = Target(mayBeNamespace: false);
            ExpectOperator("=");
            set.Add((target, Expression()));
        }

        return new With(line, set, Closed("with", "endwith"));
    }

    private Macro ReadMacro(string name, IReadOnlyList<MacroParameter> parameters, string open, string end)
    {
        int before = names.Count;
        List<Statement> body = Outside(() => Closed(open, end));
        return new Macro(name, parameters, body, new HashSet<string>(names[before..], StringComparer.Ordinal));
    }

    private List<MacroParameter> Parameters()
    {
        List<MacroParameter> parameters = [];
        ExpectOperator("(");
        while (!Current.IsOperator(")"))
        {
            if (parameters.Count > 0)
                ExpectOperator(",");
            string name = TakeName();
            Expression? value = SkipOperator("=") ? Expression() : null;
            if (value is null && parameters.Any(parameter => parameter.Default is not null))
                throw new TemplateFailure("non-default argument follows default argument", Current.Line);
            parameters.Add(new MacroParameter(name, value));
        }

        ExpectOperator(")");
        return parameters;
    }

    /// <summary>The statements of a tag up to the one that ends it.</summary>
    private List<Statement> Closed(string open, string end)
    {
        EndTag();
        return Statements(open, end);
    }

    /// <summary>Reads what a loop around it does not reach into: break and continue there would have to leave a text half made.</summary>
    private List<Statement> Outside(Func<List<Statement>> read)
    {
        int before = loops;
        loops = 0;
        List<Statement> statements = read();
        loops = before;
        return statements;
    }

    private Expression Target(bool mayBeNamespace, string? end = null)
    {
        TemplateToken first = Current;
        Expression target = TargetTuple(mayBeNamespace, end);
        return Assignable(target) ? target : throw new TemplateFailure("can't assign to what is no name", first.Line);
    }

    private static bool Assignable(Expression target) =>
        target is Name or NamespaceName || (target is Sequence { IsTuple: true } names && names.Items.All(Assignable));

    private void EndTag() => Expect(TokenKind.BlockEnd, "end of statement block");

    private TemplateToken Take() => tokens[at++];

    private string TakeName() => Current.Kind == TokenKind.Name ? Take().Text
        : throw new TemplateFailure($"expected token 'name', got {Shown(Current)}", Current.Line);

    private void Expect(TokenKind kind, string what)
    {
        if (Current.Kind != kind)
            throw new TemplateFailure($"expected token '{what}', got {Shown(Current)}", Current.Line);
        at++;
    }

    private void ExpectOperator(string text)
    {
        if (!SkipOperator(text))
            throw new TemplateFailure($"expected token '{text}', got {Shown(Current)}", Current.Line);
    }

    private void ExpectName(string text)
    {
        if (!SkipName(text))
            throw new TemplateFailure($"expected token '{text}', got {Shown(Current)}", Current.Line);
    }

    private bool SkipOperator(string text)
    {
        bool found = Current.IsOperator(text);
        at += found ? 1 : 0;
        return found;
    }

    private bool SkipName(string text)
    {
        bool found = Current.IsName(text);
        at += found ? 1 : 0;
        return found;
    }

    private void Deepen()
    {
        if (++depth > limits.Nesting)
            throw new TemplateFailure($"it nests more than {limits.Nesting} deep", Current.Line);
    }

    private static string Shown(TemplateToken token) => token.Kind switch
    {
        TokenKind.VariableEnd => "'end of print statement'",
        TokenKind.BlockEnd => "'end of statement block'",
        TokenKind.End => "'end of template'",
        _ => $"'{token.Text}'",
    };

    private static string Listed(ReadOnlySpan<string> ends) => string.Join(" or ", ends.ToArray().Select(end => $"'{end}'"));
}
