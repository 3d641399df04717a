/** An upstream's name as a check of the health report: make-video's own have `_`. */
export const checkName = ({ name }: { readonly name: string }) => name.replaceAll('-', '_')
