/** Custom properties that components hand to the style sheet. */
import 'react';

declare module 'react' {
  interface CSSProperties {
    '--hue'?: number;
  }
}
