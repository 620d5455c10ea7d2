Console.WriteLine("tinymoe");
