using static Quern.Corpus.Lexicon.Table;

namespace Quern.Corpus.Lexicon;

/// <summary>First names. None is in both tables, and none ends in s, so that all take "'s".</summary>
internal static class Names
{
    public static readonly string[] Boys = Of("""
        Tom, Ben, Sam, Max, Leo, Tim, Jack, Finn, Noah, Luke, Adam, Dan, Eli, Hugo, Ivan, Jon, Karl, Liam, Milo, Ned, Omar, Paul, Ravi, Sean, Theo,
        Victor, Will, Yan, Zack, Arlo, Bobby, Colin, Diego, Emil, Felix, Gabe, Henry, Ian, Jamal, Kofi, Leon, Marco, Nico, Oscar, Pedro, Quinn, Robin,
        Simon, Toby, Umar, Walt, Albert, Bruno, Caleb, David, Edgar, Frank, George, Harry, Isaac, Jacob, Kenji, Lenny, Mateo, Nathan, Oliver, Peter,
        Rudy, Stefan, Tariq, Vito, Wendell, Xavier, Yusuf, Alvin, Barney, Chester, Dexter, Ernie, Freddy, Gilbert, Howard, Jasper, Kit, Ludo, Monty,
        Nelson, Otto, Percy, Rory, Sonny, Teddy, Vernon, Wally, Archie, Buster, Dougal, Hamish, Kip, Pip
        """);

    public static readonly string[] Girls = Of("""
        Lily, Mia, Anna, Sue, Lucy, Zoe, Ella, Emma, Amy, Beth, Clara, Daisy, Eva, Fay, Grace, Holly, Ivy, Jane, Kate, Lena, Mary, Nina, Olga, Penny,
        Rosa, Sara, Tina, Una, Vera, Wendy, Yara, Zara, Ada, Bella, Cora, Dora, Edith, Flora, Greta, Hana, Ida, Jill, Kira, Lola, Maya, Nora, Olive,
        Polly, Ruby, Sofia, Tessa, Uma, Violet, Willa, Yuki, Alice, Betty, Chloe, Diana, Elsa, Freya, Gina, Heidi, Inga, Julia, Kim, Laila, Mabel,
        Nell, Opal, Pearl, Rita, Stella, Thea, Ursula, Vicky, Wilma, Amina, Bonnie, Carmen, Delia, Esther, Fiona, Gloria, Hazel, Irene, Josie, Karen,
        Leila, Minnie, Nadia, Odette, Pippa, Rosie, Sally, Tilly, Winnie, Juno, Dot, Maggie
        """);
}
