using System.Text;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
return TinyMoE.Cli.Cli.Run(args, Console.Out, Console.Error);
