/** What the types of a client say about functions that run elsewhere. Nothing of it is there at run time. */

/** A function as a catalog describes it. */
export interface Signature {
  readonly args: object;
  readonly returns: unknown;
}

/** Without a catalog: any name, any arguments, and results of which nothing is known here. */
export interface AnyFunctions {
  // biome-ignore lint/suspicious/noExplicitAny: it is JSON of another program, and only its reader knows what it means
  readonly [name: string]: { readonly args: object; readonly returns: any };
}

/** The names of a catalog's functions. */
export type NameIn<F> = Extract<keyof F, string>;

/** What a function of a catalog takes, and what it returns. */
export type ArgsOf<F, N extends keyof F> = F[N] extends { args: infer A } ? A : never;
export type ReturnOf<F, N extends keyof F> = F[N] extends { returns: infer R } ? R : never;

/** What stands behind the name in a call: the arguments may be left out where none is needed. */
export type CallOf<F, N extends keyof F, O> =
  Record<never, never> extends ArgsOf<F, N>
    ? [args?: ArgsOf<F, N> | undefined, options?: O]
    : [args: ArgsOf<F, N>, options?: O];
