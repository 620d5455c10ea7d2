using TinyMoE.Cli.Output;

(TextWriter? output, TextWriter? error) = StandardStreams.Open();
return TinyMoE.Cli.Cli.Run(args, output, error);
