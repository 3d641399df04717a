/** An upstream's name in the health report: make-video's own names have `_`. */
export const checkName = ({ name }: { readonly name: string }) => name.replaceAll('-', '_')
