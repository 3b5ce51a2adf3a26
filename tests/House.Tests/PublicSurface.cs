using System.Reflection;
using System.Runtime.CompilerServices;

namespace Quern.House.Tests;

/// <summary>Writes down what other assemblies can see of an assembly: one line for each type and member, in a stable order.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static string Describe(Assembly assembly)
    {
        List<string> lines = [];
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            lines.Add(Head(type));
            lines.AddRange(Members(type).Order(StringComparer.Ordinal).Select(member => "    " + member));
        }

        return string.Join('\n', lines) + "\n";
    }

    private static string Head(Type type)
    {
        string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : typeof(Delegate).IsAssignableFrom(type) ? "delegate" : type.IsValueType ? "struct" : "class";
        string modifier = type.IsAbstract && type.IsSealed ? "static " : type.IsInterface || type.IsValueType ? "" : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "";
        IEnumerable<Type> bases = type.IsEnum ? [Enum.GetUnderlyingType(type)]
            : [.. type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) ? [parent] : Array.Empty<Type>(), .. OwnInterfaces(type)];
        string list = string.Join(", ", bases.Select(Name));
        return $"{modifier}{kind} {(type.IsNested ? Name(type.DeclaringType!) + "." : type.Namespace + ".")}{ShortName(type)}{(list.Length == 0 ? "" : " : " + list)}";
    }

    private static IEnumerable<Type> OwnInterfaces(Type type) =>
        type.GetInterfaces().Where(contract => contract.IsVisible && type.BaseType?.GetInterfaces().Contains(contract) != true).OrderBy(Name, StringComparer.Ordinal);

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum) return type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => $"{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), null)}");
        return
        [
            .. type.GetConstructors(Declared).Where(Visible).Where(Written).Select(method => $"{Access(method)}.ctor({Parameters(method)})"),
            .. type.GetMethods(Declared).Where(Visible).Where(method => Written(method) && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal))).Select(Method),
            .. type.GetProperties(Declared).Select(Property).Where(line => line.Length != 0),
            .. type.GetFields(Declared).Where(field => field.IsPublic || field.IsFamily).Select(Field),
            .. type.GetEvents(Declared).Where(entry => Visible(entry.AddMethod!)).Select(entry => $"event {Name(entry.EventHandlerType!)} {entry.Name}"),
        ];
    }

    private static bool Visible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    // A record's equality, printing and copying follow from its parameters.
    private static bool Written(MemberInfo member) => member.GetCustomAttribute<CompilerGeneratedAttribute>() is null;

    private static string Access(MethodBase method) => method.IsPublic ? "" : "protected ";

    private static string Modifier(MethodInfo method) =>
        method.IsStatic ? "static " : method.DeclaringType!.IsInterface || !method.IsVirtual || method.IsFinal ? ""
        : method.GetBaseDefinition() != method ? "override " : method.IsAbstract ? "abstract " : "virtual ";

    private static string Method(MethodInfo method) =>
        $"{Access(method)}{Modifier(method)}{Name(method.ReturnType)} {method.Name}{Generics(method)}({Parameters(method)})";

    private static string Generics(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Property(PropertyInfo property)
    {
        MethodInfo[] accessors = [.. new[] { property.GetMethod, property.SetMethod }.OfType<MethodInfo>().Where(Visible)];
        if (accessors.Length == 0 || property.Name == "EqualityContract") return "";
        string list = string.Join(" ", accessors.Select(accessor => accessor == property.GetMethod ? "get;" : IsInit(accessor) ? "init;" : "set;"));
        string index = string.Join(", ", property.GetIndexParameters().Select(Parameter));
        return $"{Access(accessors[0])}{Modifier(accessors[0])}{Name(property.PropertyType)} {property.Name}{(index.Length == 0 ? "" : $"[{index}]")} {{ {list} }}";
    }

    private static bool IsInit(MethodInfo setter) => setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    private static string Field(FieldInfo field) => field.IsLiteral
        ? $"const {Name(field.FieldType)} {field.Name} = {field.GetRawConstantValue()}"
        : $"{(field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{Name(field.FieldType)} {field.Name}";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter)
    {
        string passing = !parameter.ParameterType.IsByRef ? "" : parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";
        Type type = parameter.ParameterType.IsByRef ? parameter.ParameterType.GetElementType()! : parameter.ParameterType;
        string fallback = parameter.HasDefaultValue ? $" = {parameter.RawDefaultValue ?? (type.IsValueType ? "default" : "null")}" : "";
        return $"{passing}{Name(type)} {parameter.Name}{fallback}";
    }

    private static string ShortName(Type type)
    {
        string name = type.Name.Split('`')[0];
        Type[] arguments = type.GetGenericArguments();
        return arguments.Length == 0 ? name : $"{name}<{string.Join(", ", arguments.Select(Name))}>";
    }

    private static string Name(Type type) =>
        type.IsByRef ? Name(type.GetElementType()!) + "&"
        : type.IsPointer ? Name(type.GetElementType()!) + "*"
        : type.IsArray ? Name(type.GetElementType()!) + "[" + new string(',', type.GetArrayRank() - 1) + "]"
        : ShortName(type);
}
