using System.CommandLine;
using Quern.Corpus.Commands;

RootCommand root = new("""
    Writes the corpus that Quern's own small models learn from: children's stories with questions and answers about them, small arithmetic and JSON
    records, as plain texts and as chats. Everything comes from a grammar with a seed; no text is taken from elsewhere.

    Example: quern-corpus sample --kind story -n 3
    Example: quern-corpus build --out corpus --tokens 100000000
    """)
{
    BuildCommand.Create(), SampleCommand.Create(),
};
return root.Parse(args).Invoke();
