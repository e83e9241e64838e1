/** The seedling, in the colour of the text around it. */
export function Logo({ size = 28 }: { readonly size?: number }) {
  return (
    <svg aria-hidden viewBox="0 0 64 64" width={size} height={size} fill="none" className="flex-none">
      <path d="M32 54V30" stroke="currentColor" strokeWidth="5" strokeLinecap="round" />
      <path d="M31 37C31 24 23 15 8 15c0 13 8 22 23 22Z" fill="currentColor" />
      <path d="M33 30c0-10.500 7.500-19 23-19 0 12.500-9 19-23 19Z" fill="currentColor" opacity=".55" />
      <path d="M15 54h34" stroke="currentColor" strokeWidth="5" strokeLinecap="round" />
    </svg>
  );
}
